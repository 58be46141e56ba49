using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration.A2A;

/// <summary>A peer that writes A2A by hand, so that tests see what is on the wire.</summary>
internal sealed class PeerClient : IDisposable
{
    private readonly HttpClient _http;

    public PeerClient(Uri host, string token, string? version = "1.0")
    {
        _http = new HttpClient { BaseAddress = host, Timeout = HostProcess.Timeout };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (version is not null) _http.DefaultRequestHeaders.Add("A2A-Version", version);
    }

    public void Dispose() => _http.Dispose();

    /// <summary>Calls a method and gives its result; an error fails the test.</summary>
    public async Task<JsonNode> CallAsync(string method, JsonObject parameters)
    {
        var answer = await AskAsync(method, parameters);
        return answer["result"] ?? throw new InvalidOperationException($"{method}: {answer.ToJsonString()}");
    }

    /// <summary>Calls a method and gives its error.</summary>
    public async Task<JsonNode> FailAsync(string method, JsonObject parameters)
    {
        var answer = await AskAsync(method, parameters);
        return answer["error"] ?? throw new InvalidOperationException($"{method}: {answer.ToJsonString()}");
    }

    /// <summary>Calls a method and gives the whole answer.</summary>
    public async Task<JsonNode> AskAsync(string method, JsonObject parameters) =>
        JsonNode.Parse((await PostAsync(Request(method, parameters))).Body)!;

    /// <summary>Posts anything.</summary>
    public async Task<(int Status, string Body)> PostAsync(string body, string path = "/a2a", string type = "application/json") =>
        await PostAsync(Encoding.UTF8.GetBytes(body), path, type);

    /// <summary>Posts anything.</summary>
    public async Task<(int Status, string Body)> PostAsync(byte[] body, string path = "/a2a", string type = "application/json")
    {
        using var content = new ByteArrayContent(body);
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var response = await _http.PostAsync(path, content);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>Waits until the host doesn't know the token any more; what was opened with it breaks off.</summary>
    public async Task UntilRefusedAsync()
    {
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (true)
        {
            try
            {
                if ((await PostAsync("{}")).Status == 401) return;
            }
            catch (HttpRequestException)
            {
                // Broken off in the middle of a request.
            }

            await Task.Delay(50, timeout.Token);
        }
    }

    /// <summary>Sends a verb without a body.</summary>
    public async Task<(int Status, string Body)> SendAsync(HttpMethod verb, string path)
    {
        using var request = new HttpRequestMessage(verb, path);
        using var response = await _http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    /// <summary>The events of a method that streams, until the stream ends.</summary>
    public async IAsyncEnumerable<JsonNode> StreamAsync(string method, JsonObject parameters)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/a2a") { Content = new StringContent(Request(method, parameters), Encoding.UTF8, "application/json") };
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        if (response.Content.Headers.ContentType?.MediaType != "text/event-stream") throw new InvalidOperationException(await reader.ReadToEndAsync());
        while (await reader.ReadLineAsync() is { } line)
        {
            if (!line.StartsWith("data: ", StringComparison.Ordinal)) continue;
            var answer = JsonNode.Parse(line[6..])!;
            yield return answer["result"] ?? throw new InvalidOperationException(line);
        }
    }

    /// <summary>A message of 1.0.</summary>
    public static JsonObject Message(string id, string text, string? task = null, string? context = null)
    {
        var message = new JsonObject { ["messageId"] = id, ["role"] = "ROLE_USER", ["parts"] = new JsonArray(new JsonObject { ["text"] = text }) };
        if (task is not null) message["taskId"] = task;
        if (context is not null) message["contextId"] = context;
        return message;
    }

    /// <summary>A send.</summary>
    public static JsonObject Send(string id, string text, bool wait = true, string? task = null, string? context = null, string? tenant = null)
    {
        var send = new JsonObject { ["message"] = Message(id, text, task, context), ["configuration"] = new JsonObject { ["returnImmediately"] = !wait } };
        if (tenant is not null) send["tenant"] = tenant;
        return send;
    }

    /// <summary>The state of a task.</summary>
    public static string State(JsonNode task) => ((string)task["status"]!["state"]!)["TASK_STATE_".Length..];

    private static string Request(string method, JsonObject parameters) =>
        new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 1, ["method"] = method, ["params"] = parameters.DeepClone() }.ToJsonString();
}
