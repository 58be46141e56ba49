using System.ClientModel;
using System.ClientModel.Primitives;
using OpenAI;
using OpenAI.Chat;

namespace ChannelBridge.Agents.Http;

/// <summary>
/// The OpenAI package's client for chat completions, by its protocol method: the package sends, we read the stream, because what servers other than
/// OpenAI's put into it is more than its types know (docs/decisions/0007-agents-behind-a-url.md).
/// </summary>
internal sealed class OpenAITransport : IProviderTransport
{
    private readonly HttpClient _http;
    private readonly Uri _address;
    private readonly ChatClient _client;

    public OpenAITransport(HttpClient http, Uri address)
    {
        _http = http;
        _address = address;
        var options = new OpenAIClientOptions
        {
            Endpoint = address,
            Transport = new HttpClientPipelineTransport(http),
            // Both are ours: see ProviderCaller and TurnClock.
            RetryPolicy = new ClientRetryPolicy(maxRetries: 0),
            NetworkTimeout = Timeout.InfiniteTimeSpan,
            UserAgentApplicationId = "ChannelBridge",
        };
        // The key and the address are set for each request; the package wants some.
        _client = new ChatClient("default", new ApiKeyCredential("none"), options);
    }

    public async Task<ProviderAnswer> PostAsync(BinaryData body, string? key, CancellationToken cancellationToken)
    {
        var options = new RequestOptions { CancellationToken = cancellationToken, BufferResponse = false, ErrorOptions = ClientErrorBehaviors.NoThrow };
        options.AddPolicy(new Destination(_address, key), PipelinePosition.BeforeTransport);
        using var content = BinaryContent.Create(body);
        ClientResult result;
        try
        {
            result = await _client.CompleteChatAsync(content, options).ConfigureAwait(false);
        }
        catch (ClientResultException fault) when (fault.InnerException is HttpRequestException cause)
        {
            throw new HttpRequestException(cause.HttpRequestError, cause.Message, cause);
        }

        var response = result.GetRawResponse();
        return new ProviderAnswer(
            response.Status,
            name => response.Headers.TryGetValue(name, out var value) ? value : null,
            response.ContentStream ?? Stream.Null,
            response);
    }

    public void Dispose() => _http.Dispose();

    /// <summary>The last word on where the request goes and by which key: the address may have a query or another path than the package makes.</summary>
    private sealed class Destination(Uri address, string? key) : PipelinePolicy
    {
        public override void Process(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Set(message.Request);
            ProcessNext(message, pipeline, currentIndex);
        }

        public override ValueTask ProcessAsync(PipelineMessage message, IReadOnlyList<PipelinePolicy> pipeline, int currentIndex)
        {
            Set(message.Request);
            return ProcessNextAsync(message, pipeline, currentIndex);
        }

        private void Set(PipelineRequest request)
        {
            request.Uri = address;
            request.Headers.Set("Accept", "text/event-stream, application/json;q=0.9");
            if (key is null) request.Headers.Remove("Authorization");
            else request.Headers.Set("Authorization", "Bearer " + key);
        }
    }
}
