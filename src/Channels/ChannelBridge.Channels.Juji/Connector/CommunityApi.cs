using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>The community over HTTP. Nothing is sent anywhere but below its address, redirects included.</summary>
/// <param name="http">The client.</param>
/// <param name="address">Says where the community is; it may stand in a file that changes.</param>
/// <param name="time">The clock.</param>
internal sealed class CommunityApi(HttpClient http, Func<CommunityAddress> address, TimeProvider time)
{
    private const int MaxRedirects = 3;
    private const int MaxWord = 500;
    private const int MaxToken = 4096;

    /// <summary>The address.</summary>
    /// <exception cref="BridgeException">It is none, or the file that it stands in can't be read.</exception>
    public CommunityAddress Address => address();

    /// <summary>A client for all calls.</summary>
    public static HttpClient NewClient() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
        MaxResponseContentBufferSize = 8 << 20,
    };

    /// <summary>Registers an agent: the same key is the same agent, and each time it gets a new token.</summary>
    /// <exception cref="BridgeException">It doesn't answer, refuses, or its answer has no id or no token.</exception>
    public async Task<Registration> RegisterAsync(string publicKey, string? wallet, string? name, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("public_key"u8, publicKey);
            if (!string.IsNullOrEmpty(wallet)) writer.WriteString("wallet_address"u8, wallet);
            if (!string.IsNullOrEmpty(name)) writer.WriteString("name"u8, name);
            writer.WriteEndObject();
        }

        var answer = await SendAsync(HttpMethod.Post, Address.Below("/agent/register"), buffer.ToArray(), timeout, cancellationToken).ConfigureAwait(false);
        var body = answer.Json();
        if (body.ValueKind != JsonValueKind.Object || IdOf(body) is not { } id)
            throw new BridgeException(ErrorCodes.Unavailable, "The community's answer to the registration has no agent_id.") { Retryable = true };
        if (!body.TryGetProperty("ws_token"u8, out var given) || given.ValueKind != JsonValueKind.String || given.GetString() is not { Length: > 0 and <= MaxToken } token
            || !EnvText.IsPlain(token))
        {
            const string NoToken = "The community's answer to the registration has no ws_token: it must be of a version that authenticates WebSockets.";
            throw new BridgeException(ErrorCodes.Unavailable, NoToken) { Retryable = true };
        }

        return new Registration(id, token, body);
    }

    /// <summary>Asks for JSON.</summary>
    public async Task<JsonElement> GetAsync(string path, TimeSpan timeout, CancellationToken cancellationToken) =>
        (await SendAsync(HttpMethod.Get, Address.Below(path), default, timeout, cancellationToken).ConfigureAwait(false)).Json();

    /// <summary>Sends a request and gives its answer, if it is a good one.</summary>
    /// <exception cref="BridgeException">
    /// <c>INVALID_REQUEST</c>: a redirect leads elsewhere, and nothing went there. <c>JUJI_REQUEST_FAILED</c> with the community's words: it refused.
    /// <c>TIMEOUT</c>; <c>UNAVAILABLE</c>: nobody answers.
    /// </exception>
    public async Task<CommunityAnswer> SendAsync(HttpMethod method, Uri url, ReadOnlyMemory<byte> json, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(timeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            for (var redirects = 0; ; redirects++)
            {
                using var request = new HttpRequestMessage(method, url);
                if (!json.IsEmpty) request.Content = new ReadOnlyMemoryContent(json) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
                using var answer = await http.SendAsync(request, linked.Token).ConfigureAwait(false);
                var status = (int)answer.StatusCode;
                if (status is 301 or 302 or 303 or 307 or 308)
                {
                    url = Redirected(method, status, url, answer.Headers.Location, redirects);
                    continue;
                }

                var content = await answer.Content.ReadAsByteArrayAsync(linked.Token).ConfigureAwait(false);
                var result = new CommunityAnswer(status, content);
                return status is >= 200 and < 300 ? result : throw Failed(result, method);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            var late = string.Create(CultureInfo.InvariantCulture, $"The community didn't answer within {timeout.TotalSeconds:0.###} s.");
            throw new BridgeException(ErrorCodes.Timeout, late) { Retryable = true };
        }
        catch (HttpRequestException fault)
        {
            throw new BridgeException(ErrorCodes.Unavailable, $"The community can't be reached: {Explain(fault)}", fault) { Retryable = true };
        }
    }

    /// <summary>Whole numbers are ids; some communities write them as text.</summary>
    public static long? IdOf(JsonElement owner)
    {
        if (!owner.TryGetProperty("agent_id"u8, out var id)) return null;
        if (id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out var number)) return number > 0 ? number : null;
        return id.ValueKind == JsonValueKind.String && long.TryParse(id.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0 ? number : null;
    }

    /// <summary>A line for the status. Messages of sockets and TLS name hosts and ports, never what was sent.</summary>
    public static string Explain(Exception fault) => fault switch
    {
        System.Net.WebSockets.WebSocketException { InnerException: { } inner } => Explain(inner),
        HttpRequestException { InnerException: { } inner } => Explain(inner),
        _ => fault.Message.ReplaceLineEndings(" "),
    };

    private Uri Redirected(HttpMethod method, int status, Uri url, Uri? location, int redirects)
    {
        if (location is null || redirects == MaxRedirects) throw new BridgeException(ErrorCodes.Unavailable, "The community redirects without an end.");
        var next = new Uri(url, location);
        // With 301 to 303 a body would be dropped and POST become GET: what was meant as a deed would be answered like a question.
        if (!Address.Contains(next) || (status < 307 && method != HttpMethod.Get))
            throw BridgeException.Invalid("The community's answer redirects to where it may not; nothing was sent there.");
        return next;
    }

    private static BridgeException Failed(CommunityAnswer answer, HttpMethod method) => new(
        "JUJI_REQUEST_FAILED", string.Create(CultureInfo.InvariantCulture, $"The community answered {answer.Status}: {Word(answer)}"))
    {
        Retryable = answer.Status is 429 or 503 || (answer.Status >= 500 && method == HttpMethod.Get),
        Details = new System.Text.Json.Nodes.JsonObject { ["status"] = answer.Status },
    };

    private static string Word(CommunityAnswer answer)
    {
        var text = Encoding.UTF8.GetString(answer.Content.Span[..Math.Min(answer.Content.Length, 4 * MaxWord)]).ReplaceLineEndings(" ").Trim();
        return text.Length == 0 ? "(nothing)" : text.Length > MaxWord ? text[..MaxWord] + "…" : text;
    }
}

/// <summary>What came of a registration.</summary>
/// <param name="AgentId">The agent's id.</param>
/// <param name="Token">The token for the WebSocket.</param>
/// <param name="Answer">The whole answer; the token is in it.</param>
internal sealed record Registration(long AgentId, string Token, JsonElement Answer);

/// <summary>A good answer.</summary>
/// <param name="Status">200 to 299.</param>
/// <param name="Content">The body.</param>
internal sealed record CommunityAnswer(int Status, ReadOnlyMemory<byte> Content)
{
    /// <summary>The body as JSON.</summary>
    /// <exception cref="BridgeException">It is none.</exception>
    public JsonElement Json()
    {
        try
        {
            return JsonElement.Parse(Content.Span);
        }
        catch (JsonException fault)
        {
            throw new BridgeException(ErrorCodes.Unavailable, "The community's answer is no JSON.", fault);
        }
    }
}
