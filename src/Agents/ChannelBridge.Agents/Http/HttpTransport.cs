using System.Net.Http.Headers;

namespace ChannelBridge.Agents.Http;

/// <summary>Plain HTTP, for <c>/v1/responses</c>.</summary>
internal sealed class HttpTransport(HttpClient client, Uri address) : IProviderTransport
{
    public async Task<ProviderAnswer> PostAsync(BinaryData body, string? key, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address);
        request.Content = new ReadOnlyMemoryContent(body.ToMemory());
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Accept.ParseAdd("text/event-stream");
        request.Headers.Accept.ParseAdd("application/json;q=0.9");
        if (key is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        try
        {
            var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            return new ProviderAnswer((int)response.StatusCode, name => Read(response, name), stream, response);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private static string? Read(HttpResponseMessage response, string name) =>
        response.Headers.NonValidated.TryGetValues(name, out var values) || response.Content.Headers.NonValidated.TryGetValues(name, out values)
            ? values.ToString()
            : null;

    public void Dispose() => client.Dispose();
}
