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
                    await host.InstallAsync(parameters.Source, parameters.AllowOlder, cancellationToken).ConfigureAwait(false))),
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
internal sealed partial class PluginMethodJson : JsonSerializerContext;
