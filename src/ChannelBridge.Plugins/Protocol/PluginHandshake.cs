using System.Text.Json;

namespace ChannelBridge.Plugins.Protocol;

/// <summary>What the host tells a process at first.</summary>
public sealed record PluginHello
{
    /// <summary>The versions of the protocol that the host speaks.</summary>
    public required IReadOnlyList<int> Protocols { get; init; }

    /// <summary>The id that the manifest gives the plugin.</summary>
    public required string Plugin { get; init; }

    /// <summary>The version that the manifest gives the plugin.</summary>
    public required string Version { get; init; }

    /// <summary>The host's name and version, for logs.</summary>
    public required string Host { get; init; }

    /// <summary>The folder where the plugin may keep files.</summary>
    public required string DataFolder { get; init; }

    /// <summary>How many calls of the plugin may be open.</summary>
    public required int MaxOpenRequests { get; init; }
}

/// <summary>What a process answers: it must be what its manifest says.</summary>
public sealed record PluginOffer
{
    /// <summary>The version of the protocol that it will speak, one of those offered.</summary>
    public required int Protocol { get; init; }

    /// <summary>Its id.</summary>
    public required string Plugin { get; init; }

    /// <summary>Its version.</summary>
    public required string Version { get; init; }

    /// <summary>The ids of its channels.</summary>
    public IReadOnlyList<string> Channels { get; set; } = [];

    /// <summary>The names of its methods.</summary>
    public IReadOnlyList<string> Methods { get; set; } = [];

    /// <summary>The names of its tools.</summary>
    public IReadOnlyList<string> Tools { get; set; } = [];

    /// <summary>Its endpoints: each verb with its path, and <c>SOCKET</c> with the path of each socket.</summary>
    public IReadOnlyList<string> Endpoints { get; set; } = [];
}

/// <summary>What a process gets to start its channels.</summary>
public sealed record PluginStart
{
    /// <summary>The plugin's own settings, checked against the manifest's schema.</summary>
    public JsonElement? Settings { get; init; }

    /// <summary>The settings of each of its channels, by channel id.</summary>
    public IReadOnlyDictionary<string, JsonElement>? Channels { get; init; }
}

/// <summary>A process has started its channels.</summary>
public sealed record PluginStarted
{
    /// <summary>The accounts of each channel, by channel id.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<PluginAccount>> Accounts { get; set; } = new Dictionary<string,
        IReadOnlyList<PluginAccount>>();
}

/// <summary>A process is alive.</summary>
public sealed record PluginHealth
{
    /// <summary>False: it answers but can't work; <see cref="Detail"/> says why.</summary>
    public bool Ok { get; set; } = true;

    /// <summary>For the operator.</summary>
    public string? Detail { get; init; }
}
