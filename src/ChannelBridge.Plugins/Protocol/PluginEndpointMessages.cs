namespace ChannelBridge.Plugins.Protocol;

/// <summary>A request to one of the manifest's endpoints, without its body. All of it is text that a stranger has written.</summary>
public sealed record PluginRequest
{
    /// <summary>Unique in the host's life; for logs.</summary>
    public required string Id { get; init; }

    /// <summary>The path of the endpoint as the manifest has it.</summary>
    public required string Endpoint { get; init; }

    /// <summary>The verb, in upper case.</summary>
    public required string Verb { get; init; }

    /// <summary>The path as it was asked for, decoded.</summary>
    public required string Path { get; init; }

    /// <summary>The query with its question mark as it was asked for, or null.</summary>
    public string? Query { get; init; }

    /// <summary>Scheme and authority as the client sees them.</summary>
    public required string Origin { get; init; }

    /// <summary>The values of the path's parameters, decoded, by name.</summary>
    public IReadOnlyDictionary<string, string> Values { get; set; } = new Dictionary<string, string>();

    /// <summary>The headers, by their names in small letters; several of one name are joined by commas.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; set; } = new Dictionary<string, string>();

    /// <summary>The name under <c>Listen:Addresses</c> of the address that it came in by, or null for the host's own listener.</summary>
    public string? Address { get; init; }

    /// <summary>Where the client is, or null where it can't be told.</summary>
    public string? Remote { get; init; }

    /// <summary>Who asks; null at an anonymous endpoint.</summary>
    public PluginCaller? Caller { get; init; }
}

/// <summary>What a plugin found about a request to an endpoint whose access is <c>plugin</c>.</summary>
public sealed record PluginVerdict
{
    /// <summary>Who it is, as the plugin calls them; null: refused.</summary>
    public string? Name { get; init; }

    /// <summary>Who a refused attempt claimed to be, or null; never a secret. After too many failures of one the host answers 429.</summary>
    public string? Identity { get; init; }

    /// <summary>401 or 403, for a refusal.</summary>
    public int? Status { get; init; }

    /// <summary>For the client, with a refusal.</summary>
    public string? Message { get; init; }

    /// <summary>The value of <c>WWW-Authenticate</c>, or null.</summary>
    public string? Challenge { get; init; }
}

/// <summary>A header of an answer.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value.</param>
public sealed record PluginHeader(string Name, string Value);

/// <summary>The answer to a request: with a text, with the bytes of a stream, with a stream of events, or with nothing.</summary>
public sealed record PluginHttpAnswer
{
    /// <summary>The status, 200 to 599. Of a stream of events it is always 200.</summary>
    public int Status { get; set; } = 200;

    /// <summary>The type of the content, or null when there is none.</summary>
    public string? ContentType { get; init; }

    /// <summary>The content, when it is text.</summary>
    public string? Text { get; init; }

    /// <summary>The content, as a stream of bytes of the plugin.</summary>
    public long? Body { get; init; }

    /// <summary>A stream of items of the plugin, each a <see cref="PluginServerEvent"/>; the answer ends with it.</summary>
    public long? Events { get; init; }

    /// <summary>With <see cref="Events"/>: after so many milliseconds without one, a comment keeps the connection alive. Default 15,000.</summary>
    public long? HeartbeatMs { get; init; }

    /// <summary>Further headers. Those of the connection and of the content's length are the host's.</summary>
    public IReadOnlyList<PluginHeader>? Headers { get; init; }

    /// <summary>The entity tag without quotes, or null.</summary>
    public string? ETag { get; init; }
}

/// <summary>One event of a stream of events.</summary>
/// <param name="Data">The data.</param>
/// <param name="Event">The event's name, one line, or null.</param>
/// <param name="Id">The event's id, one line, or null.</param>
public sealed record PluginServerEvent(string Data, string? Event = null, string? Id = null);

/// <summary>A WebSocket is the plugin's.</summary>
/// <param name="Outgoing">The stream of items to the client.</param>
public sealed record PluginSocketOpened(long Outgoing);
