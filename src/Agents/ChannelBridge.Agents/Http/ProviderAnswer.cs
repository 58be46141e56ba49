namespace ChannelBridge.Agents.Http;

/// <summary>A provider's answer with its status and headers read and its body still to come. Disposing it ends the request, wherever it is.</summary>
internal sealed class ProviderAnswer(int status, Func<string, string?> header, Stream body, IDisposable owner) : IDisposable
{
    public int Status => status;

    /// <summary>The <c>Content-Encoding</c> header as it is, or null.</summary>
    public string? ContentEncoding => header("Content-Encoding");

    /// <summary>The <c>Retry-After</c> header as it is, or null.</summary>
    public string? RetryAfter => header("Retry-After");

    /// <summary>The same in milliseconds, which goes before, or null.</summary>
    public string? RetryAfterMs => header("Retry-After-Ms");

    public Stream Body => body;

    public void Dispose() => owner.Dispose();
}

/// <summary>Sends one request. The two kinds of agents differ in the client that they use.</summary>
internal interface IProviderTransport : IDisposable
{
    /// <summary>Sends the body and returns when the answer's headers are there, whatever its status.</summary>
    Task<ProviderAnswer> PostAsync(BinaryData body, string? key, CancellationToken cancellationToken);
}
