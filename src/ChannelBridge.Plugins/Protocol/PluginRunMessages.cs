using System.Text.Json;

namespace ChannelBridge.Plugins.Protocol;

/// <summary>A file of the spool, on its way to the plugin.</summary>
/// <param name="Stream">The host's stream of its bytes.</param>
/// <param name="Size">Its size in bytes.</param>
public sealed record PluginFile(long Stream, long Size);

/// <summary>What an agent is run for.</summary>
public sealed record PluginRunStart
{
    /// <summary>One of the plugin's channels.</summary>
    public required string Channel { get; init; }

    /// <summary>The account, which owns the run: it alone reads, cancels and continues it.</summary>
    public required string AccountId { get; init; }

    /// <summary>An Open Responses request; <c>previous_response_id</c> names a run of this account.</summary>
    public required JsonElement Request { get; init; }

    /// <summary>The agent, if the manifest's permissions name it; null: the channel's own, by the host's settings.</summary>
    public string? Agent { get; init; }

    /// <summary>The run's id (<c>resp_…</c>), the same when a user's request is repeated; null: a new one.</summary>
    public string? Id { get; init; }

    /// <summary>The conversation as agents with a memory of their own name it, or null.</summary>
    public string? Session { get; init; }

    /// <summary>True: the end of the host isn't the end of the run; start it again under its id then.</summary>
    public bool OutlivesHost { get; init; }
}

/// <summary>A run of an agent.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Stream">The host's stream of its events: one item each, a JSON object; it ends with the terminal one.</param>
public sealed record PluginRun(string Id, long Stream);
