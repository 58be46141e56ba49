using System.Net;

namespace ChannelBridge.Channels.InstaClaw;

/// <summary>The platform's addresses for one account.</summary>
internal sealed record Endpoints(Uri Broker, Uri ProfileCreate, Uri TaskApi, Uri ArtifactUpload)
{
    /// <summary>What isn't named is at the broker's host.</summary>
    public static Endpoints Of(InstaClawOptions options, InstaClawAccountOptions account)
    {
        var broker = new Uri(account.WsUrl ?? options.WsUrl ?? throw new InvalidOperationException("no broker is named"));
        var host = new UriBuilder(broker) { Scheme = broker.Scheme == "ws" ? "http" : "https", Path = "/", Query = "" };
        if (broker.IsDefaultPort) host.Port = -1;
        var root = host.Uri;
        return new Endpoints(
            broker,
            Named(options.ProfileCreateUrl) ?? new Uri(root, "/profiles/create"),
            Named(options.TaskApiBaseUrl) ?? root,
            Named(options.ArtifactUploadAndBindUrl) ?? new Uri(root, "/artifact/upload-and-bind"));
    }

    /// <summary>Why an address can't be used, or null.</summary>
    public static string? Fault(string? text, bool webSocket, bool allowPlaintext)
    {
        if (text is null) return null;
        var (open, closed) = webSocket ? ("ws", "wss") : ("http", "https");
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || (uri.Scheme != open && uri.Scheme != closed)) return $"is no {closed} address";
        if (uri.UserInfo.Length > 0) return "has a user in it, which would end up in logs";
        if (uri.Scheme == open && !allowPlaintext && !IsLoopback(uri))
        {
            return $"would send secrets and messages in the clear; use {closed}://, or set AllowPlaintext";
        }

        return null;
    }

    private static bool IsLoopback(Uri uri) => uri.IsLoopback || (IPAddress.TryParse(uri.DnsSafeHost, out var address) && IPAddress.IsLoopback(address));

    private static Uri? Named(string? text) => text is null ? null : new Uri(text);
}
