using System.Text.Json;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Channels.MultiClaws.Agents;

namespace ChannelBridge.Channels.MultiClaws.Sessions;

/// <summary>
/// Chains of sessions over several hosts: how far one has come travels in the metadata of each message, <c>{"multiclaws":{"hops":2,"path":["http://b","http://c"]}}</c>.
/// </summary>
internal static class Chains
{
    /// <summary>The longest chain.</summary>
    public const int MaxHops = 8;

    private const string Member = "multiclaws";

    /// <summary>The chain that a message came by; none where it says nothing sensible.</summary>
    public static Chain Of(InboundMessage? message)
    {
        if (message?.Metadata is not { ValueKind: JsonValueKind.Object } said || !said.TryGetProperty(Member, out var ours) || ours.ValueKind != JsonValueKind.Object)
            return Chain.None;
        var hops = ours.TryGetProperty("hops", out var count) && count.ValueKind == JsonValueKind.Number && count.TryGetInt32(out var number) ? Math.Clamp(number, 0, 1000) : 0;
        var path = new List<string>();
        if (ours.TryGetProperty("path", out var urls) && urls.ValueKind == JsonValueKind.Array)
        {
            foreach (var url in urls.EnumerateArray().Take(2 * MaxHops))
            {
                if (url.ValueKind == JsonValueKind.String && AgentUrls.Normalise(url.GetString()) is { } normal) path.Add(normal);
            }
        }

        return new Chain(hops, path);
    }

    /// <summary>The chain of a session that is started in the conversation of such a message, or why there may be none.</summary>
    /// <param name="from">The chain that led here.</param>
    /// <param name="self">Our own address, where it is known.</param>
    /// <param name="target">The agent that is asked.</param>
    public static (Chain Chain, string? Refused) Next(Chain from, string? self, string target)
    {
        var path = self is null || from.Path.Contains(self, StringComparer.Ordinal) ? from.Path : [.. from.Path, self];
        var next = new Chain(from.Hops + 1, [.. path, target]);
        if (next.Hops > MaxHops) return (next, $"the chain of agents has become longer than {MaxHops}: this one would be the {next.Hops}th");
        return path.Contains(target, StringComparer.Ordinal)
            ? (next, "that agent waits for the answer to this very request: asking it would go round in a circle")
            : (next, null);
    }

    /// <summary>The metadata of a message of the chain.</summary>
    public static JsonElement ToMetadata(Chain chain)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartObject(Member);
            writer.WriteNumber("hops"u8, chain.Hops);
            writer.WriteStartArray("path"u8);
            foreach (var url in chain.Path) writer.WriteStringValue(url);
            writer.WriteEndArray();
            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return JsonElement.Parse(buffer.ToArray());
    }
}
