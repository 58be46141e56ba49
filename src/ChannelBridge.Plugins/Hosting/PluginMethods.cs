using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Methods;

namespace ChannelBridge.Plugins.Hosting;

/// <summary>The methods <c>plugins.*</c>, for operators.</summary>
internal sealed class PluginMethods(PluginHost host) : IMethodSource
{
    public IEnumerable<RpcMethod> Methods { get; } =
    [
        RpcMethod.Create(
            "plugins.list", Scopes.Admin, "The installed plugins and what they do.",
            PluginMethodJson.Default.PluginListParams, PluginMethodJson.Default.PluginListResult,
            (_, _, _) => ValueTask.FromResult(new PluginListResult(host.List()))),
        RpcMethod.Create(
            "plugins.install", Scopes.Admin,
            "Installs a plugin from a package or folder on the host's machine, or updates it. Its process can do what the host's user can: "
            + "install only what you trust.",
            PluginMethodJson.Default.PluginInstallParams, PluginMethodJson.Default.PluginResult,
            async (parameters, _, cancellationToken) =>
                new PluginResult(
                    await host.InstallAsync(parameters.Source, parameters.AllowOlder, update: null, cancellationToken).ConfigureAwait(false))),
        RpcMethod.Create(
            "plugins.update", Scopes.Admin,
            "Updates an installed plugin from a package or folder on the host's machine: the old version stops, the new one starts, and "
                + "what wasn't acked goes to it. One that isn't ready in 10 s is taken back, and the old version starts again.",
            PluginMethodJson.Default.PluginUpdateParams, PluginMethodJson.Default.PluginResult,
            async (parameters, _, cancellationToken) =>
                new PluginResult(
                    await host.InstallAsync(parameters.Source, parameters.AllowOlder, parameters.Id, cancellationToken).ConfigureAwait(false))),
        RpcMethod.Create(
            "plugins.show", Scopes.Admin, "One plugin: what it does, what its manifest offers and asks for, who signed it.",
            PluginMethodJson.Default.PluginIdParams, PluginMethodJson.Default.PluginResult,
            (parameters, _, _) =>
            {
                var shown = host.Show(parameters.Id);
                Require(shown is not null, parameters.Id);
                return ValueTask.FromResult(new PluginResult(shown!));
            }),
        RpcMethod.Create(
            "plugins.logs", Scopes.Admin, "The last lines that a plugin wrote to its stderr or by log, at most 500, with the secrets of its settings masked.",
            PluginMethodJson.Default.PluginLogsParams, PluginMethodJson.Default.PluginLogsResult,
            (parameters, _, _) =>
            {
                var lines = host.Logs(parameters.Id, Math.Clamp(parameters.Limit, 1, 500));
                Require(lines is not null, parameters.Id);
                return ValueTask.FromResult(new PluginLogsResult(lines!));
            }),
        RpcMethod.Create(
            "plugins.trust", Scopes.Admin, "The public keys whose plugins are trusted; with a name, first trusts a key under it, or removes it.",
            PluginMethodJson.Default.PluginTrustParams, PluginMethodJson.Default.PluginTrustResult,
            (parameters, _, _) => ValueTask.FromResult(new PluginTrustResult(host.Trust(parameters.Name, parameters.Key, parameters.Remove)))),
        RpcMethod.Create(
            "plugins.remove", Scopes.Admin, "Stops a plugin and removes it; its data folder stays unless data is true.",
            PluginMethodJson.Default.PluginRemoveParams, PluginMethodJson.Default.PluginResult,
            async (parameters, _, _) =>
            {
                Require(await host.RemoveAsync(parameters.Id, parameters.Data).ConfigureAwait(false), parameters.Id);
                return new PluginResult(new JsonObject { ["id"] = parameters.Id, ["state"] = "removed" });
            }),
        RpcMethod.Create(
            "plugins.restart", Scopes.Admin, "Stops a plugin's process and starts it anew, also out of quarantine.",
            PluginMethodJson.Default.PluginIdParams, PluginMethodJson.Default.PluginResult,
            async (parameters, _, _) =>
            {
                Require(await host.RestartAsync(parameters.Id).ConfigureAwait(false), parameters.Id);
                return new PluginResult(host.Describe(parameters.Id)!);
            }),
        Switch(host, "plugins.enable", "Enables a plugin and starts it.", enabled: true),
        Switch(host, "plugins.disable", "Disables a plugin and stops it; what its channels hold on disk waits.", enabled: false),
    ];

    private static RpcMethod Switch(PluginHost host, string name, string summary, bool enabled) => RpcMethod.Create(
        name, Scopes.Admin, summary, PluginMethodJson.Default.PluginIdParams, PluginMethodJson.Default.PluginResult,
        async (parameters, _, cancellationToken) =>
        {
            Require(await host.SetEnabledAsync(parameters.Id, enabled, cancellationToken).ConfigureAwait(false), parameters.Id);
            return new PluginResult(host.Describe(parameters.Id)!);
        });

    private static void Require(bool found, string id)
    {
        if (!found) throw new BridgeException(ErrorCodes.NotFound, $"plugin {id} isn't installed; see plugins.list");
    }
}

/// <summary>No parameters.</summary>
internal sealed record PluginListParams;

/// <summary>The plugins.</summary>
internal sealed record PluginListResult(JsonArray Plugins);

/// <summary>Which plugin.</summary>
internal sealed record PluginIdParams
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }
}

/// <summary>Which plugin, and how much of it.</summary>
internal sealed record PluginRemoveParams
{
    /// <summary>Its id.</summary>
    public required string Id { get; init; }

    /// <summary>Remove its data folder, too.</summary>
    public bool Data { get; init; }
}

/// <summary>What is installed.</summary>
internal sealed record PluginInstallParams
{
    /// <summary>A package or a folder on the host's machine, as an absolute path.</summary>
    public required string Source { get; init; }

    /// <summary>Take an older version than the installed one.</summary>
    public bool AllowOlder { get; init; }
}

/// <summary>What a plugin is updated to.</summary>
internal sealed record PluginUpdateParams
{
    /// <summary>The plugin.</summary>
    public required string Id { get; init; }

    /// <summary>A package or a folder on the host's machine, as an absolute path.</summary>
    public required string Source { get; init; }

    /// <summary>Take an older version than the installed one.</summary>
    public bool AllowOlder { get; init; }
}

/// <summary>Which lines.</summary>
internal sealed record PluginLogsParams
{
    /// <summary>The plugin.</summary>
    public required string Id { get; init; }

    /// <summary>The most lines.</summary>
    public int Limit { get; init; } = 100;
}

/// <summary>The lines, oldest first.</summary>
internal sealed record PluginLogsResult(JsonArray Lines);

/// <summary>A key to trust.</summary>
internal sealed record PluginTrustParams
{
    /// <summary>The name to know it by; none: nothing is changed.</summary>
    public string? Name { get; init; }

    /// <summary>The public key: 32 bytes in base64.</summary>
    public string? Key { get; init; }

    /// <summary>Trust it no more.</summary>
    public bool Remove { get; init; }
}

/// <summary>The trusted keys.</summary>
internal sealed record PluginTrustResult(JsonArray Keys);

/// <summary>A plugin.</summary>
internal sealed record PluginResult(JsonObject Plugin);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PluginListParams))]
[JsonSerializable(typeof(PluginListResult))]
[JsonSerializable(typeof(PluginIdParams))]
[JsonSerializable(typeof(PluginRemoveParams))]
[JsonSerializable(typeof(PluginInstallParams))]
[JsonSerializable(typeof(PluginResult))]
[JsonSerializable(typeof(PluginUpdateParams))]
[JsonSerializable(typeof(PluginLogsParams))]
[JsonSerializable(typeof(PluginLogsResult))]
[JsonSerializable(typeof(PluginTrustParams))]
[JsonSerializable(typeof(PluginTrustResult))]
internal sealed partial class PluginMethodJson : JsonSerializerContext;
