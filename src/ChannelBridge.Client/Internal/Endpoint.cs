using System.Text.RegularExpressions;

namespace ChannelBridge.Client.Internal;

/// <summary>The kinds of doors.</summary>
internal enum EndpointKind
{
    /// <summary>The OpenClaw dialect on a WebSocket.</summary>
    OpenClaw,

    /// <summary>JSON-RPC on a WebSocket.</summary>
    JsonRpc,

    /// <summary>JSON-RPC on a Unix socket.</summary>
    UnixSocket,

    /// <summary>JSON-RPC on a named pipe.</summary>
    Pipe,
}

/// <summary>Where a host is.</summary>
/// <param name="Kind">The kind of door.</param>
/// <param name="Address">The WebSocket's address, the socket's path or the pipe's name.</param>
internal sealed partial record Endpoint(EndpointKind Kind, string Address)
{
    /// <summary>Reads an endpoint as the options have it.</summary>
    public static bool TryParse(string? text, out Endpoint? endpoint, out string wrong)
    {
        endpoint = null;
        wrong = "";
        if (text is null)
        {
            wrong = "must not be null";
            return false;
        }

        if (string.IsNullOrWhiteSpace(text))
        {
            wrong = "is empty";
            return false;
        }

        // host:port, as it is said and typed.
        if (HostAndPort().IsMatch(text)) text = "ws://" + text;
        if (Strip(text, "unix:") is { } path)
        {
            if (path.StartsWith("///", StringComparison.Ordinal)) path = path[2..];
            if (path.Length == 0) wrong = "the path of the Unix socket is missing";
            else endpoint = new Endpoint(EndpointKind.UnixSocket, path);
        }
        else if (Strip(text, "pipe:") is { } pipe)
        {
            if (pipe.Length == 0) wrong = "the name of the pipe is missing";
            else endpoint = new Endpoint(EndpointKind.Pipe, pipe);
        }
        else if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("ws" or "wss" or "http" or "https"))
        {
            wrong = $"'{text}' is not a valid address; write ws://HOST:PORT, wss://HOST:PORT, HOST:PORT, unix:/PATH or pipe:NAME";
        }
        else
        {
            var address = new UriBuilder(uri) { Scheme = uri.Scheme is "http" or "ws" ? "ws" : "wss", Port = uri.Port }.Uri;
            endpoint = new Endpoint(uri.AbsolutePath.TrimEnd('/') == "/rpc" ? EndpointKind.JsonRpc : EndpointKind.OpenClaw, address.AbsoluteUri);
        }

        return endpoint is not null;
    }

    /// <inheritdoc/>
    public override string ToString() => Kind switch
    {
        EndpointKind.UnixSocket => "unix:" + Address,
        EndpointKind.Pipe => "pipe:" + Address,
        _ => Address,
    };

    [GeneratedRegex(@"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?):[0-9]{1,5}(/.*)?$",
        RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex HostAndPort();

    private static string? Strip(string text, string prefix) =>
        text.StartsWith(prefix, StringComparison.OrdinalIgnoreCase) ? text[prefix.Length..] : null;
}
