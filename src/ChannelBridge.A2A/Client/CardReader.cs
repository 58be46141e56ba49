using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace ChannelBridge.A2A.Client;

/// <summary>Finds a peer's card by either path, and keeps it by its ETag.</summary>
internal sealed class CardReader(A2AClientOptions options, PeerCaller caller) : IDisposable
{
    private static readonly string[] Paths = [".well-known/agent-card.json", ".well-known/agent.json"];
    private readonly SemaphoreSlim _one = new(1, 1);
    private AgentCard? _card;
    private Uri? _found;
    private EntityTagHeaderValue? _tag;
    private DateTimeOffset _fresh;

    public async Task<AgentCard> GetAsync(bool anew, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (!anew && _card is { } card && options.Time.GetUtcNow() < _fresh) return card;
            return await ReadAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private async Task<AgentCard> ReadAsync(CancellationToken cancellationToken)
    {
        A2AException? missing = null;
        foreach (var url in _found is { } found ? [found] : Candidates())
        {
            HttpResponseMessage answer;
            try
            {
                answer = await caller.SendAsync(
                    () => Request(url), UrlOrigin.Operator, waits: false, cancellationToken).ConfigureAwait(false);
            }
            catch (A2AException fault) when (fault.HttpStatus is (int)HttpStatusCode.NotFound or (int)HttpStatusCode.MethodNotAllowed)
            {
                missing = fault;
                continue;
            }

            using (answer)
            {
                _fresh = options.Time.GetUtcNow() + options.CardLifetime;
                if (answer.StatusCode is HttpStatusCode.NotModified && _card is { } known) return known;
                var body = await caller.ReadAsync(answer, options.MaxCardBytes, "The card", cancellationToken).ConfigureAwait(false);
                _card = Parse(body);
                _tag = answer.Headers.ETag;
                _found = url;
                return _card;
            }
        }

        throw new A2AException(A2AFault.NoCard, $"There is no agent card at {options.Address}: is it the agent's address?", missing);
    }

    private HttpRequestMessage Request(Uri url)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, url);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        request.Headers.Add(Versions.Header, options.Version ?? Versions.V10);
        if (_tag is not null) request.Headers.IfNoneMatch.Add(_tag);
        return request;
    }

    private IEnumerable<Uri> Candidates()
    {
        var address = options.Address;
        if (address.AbsolutePath.EndsWith(".json", StringComparison.OrdinalIgnoreCase)) return [address];
        var below = new Uri(address.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/");
        var root = new Uri(address, "/");
        return (below == root ? [below] : new[] { below, root }).SelectMany(static at => Paths.Select(path => new Uri(at, path)));
    }

    private static AgentCard Parse(byte[] body)
    {
        try
        {
            return A2ADialect.V10.Card.Read(body);
        }
        catch (JsonException fault)
        {
            throw new A2AException(A2AFault.NoCard, "The peer's card can't be read: " + fault.Message, fault);
        }
    }
}
