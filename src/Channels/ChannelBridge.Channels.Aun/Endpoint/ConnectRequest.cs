using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChannelBridge.Channels.Aun.Endpoint;

/// <summary>What <c>auth.connect</c> asks for. Everything but nonce and token may be left out.</summary>
internal sealed record ConnectRequest
{
    private const string Only = "1.0";
    private const long MostIdleMs = 86_400_000;

    /// <summary>The device, or empty.</summary>
    public string Device { get; private init; } = "";

    /// <summary>The slot, or empty.</summary>
    public string Slot { get; private init; } = "";

    /// <summary>False for a connection that only calls.</summary>
    public bool IsLong { get; private init; } = true;

    /// <summary>How messages are to reach it.</summary>
    public DeliveryMode Mode { get; private init; }

    /// <summary>For how long a short one may be idle.</summary>
    public TimeSpan? IdleTime { get; private init; }

    /// <summary>The versions that this gateway speaks.</summary>
    public static JsonObject ServerRange() => new() { ["min"] = Only, ["max"] = Only };

    /// <summary>Reads it.</summary>
    public static ConnectRequest Read(JsonElement parameters)
    {
        var device = Params.Object(parameters, "device", RpcFault.Validation) is { } one ? Params.Text(one, "id", code: RpcFault.Validation) ?? "" : "";
        var client = Params.Object(parameters, "client", RpcFault.Validation) is { } two ? Params.Text(two, "slot_id", code: RpcFault.Validation) ?? "" : "";
        if (device.Length == 0 && client.Length > 0) throw new RpcFault(RpcFault.Validation, "slot_requires_device_id: a slot is one of a device; name device.id");
        var options = Params.Object(parameters, "options", RpcFault.Validation);
        var kind = options is { } three ? Params.Text(three, "kind", code: RpcFault.Validation) : null;
        if (kind is not (null or "" or "long" or "short")) throw new RpcFault(RpcFault.Validation, "options.kind must be long or short");
        TimeSpan? idle = null;
        if (kind == "short" && options!.Value.TryGetProperty("short_ttl_ms"u8, out var ttl) && ttl.ValueKind != JsonValueKind.Null)
        {
            if (ttl.ValueKind != JsonValueKind.Number || !ttl.TryGetDouble(out var ms) || ms is < 0 or > MostIdleMs)
                throw new RpcFault(RpcFault.Validation, $"options.short_ttl_ms must be from 0 to {MostIdleMs}");
            if (ms > 0) idle = TimeSpan.FromMilliseconds(ms);
        }

        return new ConnectRequest { Device = device, Slot = client, IsLong = kind != "short", Mode = DeliveryMode.Read(parameters), IdleTime = idle };
    }

    /// <summary>The highest version that both speak.</summary>
    /// <exception cref="RpcFault">There is none.</exception>
    public static string Negotiate(JsonElement parameters)
    {
        if (!parameters.TryGetProperty("protocol"u8, out var range) || range.ValueKind == JsonValueKind.Null) return Only;
        if (range.ValueKind != JsonValueKind.Object) throw new RpcFault(RpcFault.Validation, "protocol must be an object with min and max");
        var lowest = Params.Text(range, "min", code: RpcFault.Validation) ?? Only;
        var highest = Params.Text(range, "max", code: RpcFault.Validation) ?? lowest;
        var (low, high, own) = (Read(lowest), Read(highest), Read(Only));
        if (low is null || high is null) throw new RpcFault(RpcFault.Validation, "protocol.min and protocol.max are versions such as 1.0");
        if (low <= own && own <= high) return Only;
        throw new RpcFault(RpcFault.NoCommonVersion, $"no common version: this gateway speaks {Only}")
        {
            Details = new JsonObject { ["server_range"] = ServerRange(), ["client_range"] = new JsonObject { ["min"] = lowest, ["max"] = highest } },
            Close = 1002,
        };
    }

    private static Version? Read(string text) => Version.TryParse(text.Contains('.', StringComparison.Ordinal) ? text : text + ".0", out var version)
        && text.All(static letter => letter == '.' || char.IsAsciiDigit(letter))
        ? version
        : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? new Version((int)Math.Min(major, int.MaxValue), 0) : null;
}
