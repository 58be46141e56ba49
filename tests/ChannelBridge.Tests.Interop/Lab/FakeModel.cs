using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>
/// The gateway's only model: an OpenAI-style completions server that answers <c>answer to WORD</c>, where WORD is the last <c>ask:WORD</c> that a user
/// said (the gateway wraps what users say, so a test marks its own text). A test can hold an answer back and let it go. A word that begins with
/// <c>tool-</c> makes it call the first tool that it is offered, once; <c>named-NAME</c> makes it call that one.
/// </summary>
public sealed partial class FakeModel : IAsyncDisposable
{
    private const string Unasked = "nothing";

    private readonly WebApplication _server;
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _holds = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _asked = new();
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _gone = new();
    private readonly ConcurrentDictionary<string, int> _counts = new();
    private readonly ConcurrentDictionary<string, string> _prompts = new();

    private readonly ConcurrentDictionary<string, IReadOnlyList<string>> _tools = new();

    private FakeModel(WebApplication server) => _server = server;

    /// <summary>The tool that it calls, with these arguments, when it is asked for the first time by a text without a word of its own.</summary>
    public (string Name, string Arguments)? UnaskedCall { get; set; }

    public int Port { get; private set; }

    /// <summary>How many times the model was asked about a word.</summary>
    public int CountOf(string word) => _counts.GetValueOrDefault(word);

    /// <summary>What the model was given when it was asked about a word the last time.</summary>
    public string PromptOf(string word) => _prompts.GetValueOrDefault(word, "");

    /// <summary>The tools that the model was offered when it was asked about a word the last time.</summary>
    public IReadOnlyList<string> ToolsOf(string word) => _tools.GetValueOrDefault(word, []);

    public static async Task<FakeModel> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = builder.Build();
        var model = new FakeModel(server);
        server.MapPost("/v1/chat/completions", model.CompleteAsync);
        await server.StartAsync();
        model.Port = new Uri(server.Urls.First()).Port;
        return model;
    }

    /// <summary>Holds the answer about a word back until the result is completed.</summary>
    public TaskCompletionSource Hold(string word) => _holds[word] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the model is asked about a word.</summary>
    public Task AskedAsync(string word) => SignalOf(word).Task.WaitAsync(TimeSpan.FromSeconds(90));

    /// <summary>Completes when a request about a word is given up by who made it.</summary>
    public Task GivenUpAsync(string word) => GoneSignalOf(word).Task.WaitAsync(TimeSpan.FromSeconds(90));

    public async ValueTask DisposeAsync()
    {
        foreach (var hold in _holds.Values) hold.TrySetResult();
        await _server.DisposeAsync();
    }

    private TaskCompletionSource GoneSignalOf(string word) =>
        _gone.GetOrAdd(word, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private TaskCompletionSource SignalOf(string word) =>
        _asked.GetOrAdd(word, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    private async Task CompleteAsync(HttpContext context)
    {
        var request = (await JsonSerializer.DeserializeAsync<JsonObject>(context.Request.Body))!;
        var word = WordOf(request["messages"] as JsonArray);
        _prompts[word] = request["messages"]?.ToJsonString() ?? "";
        _tools[word] = [.. (request["tools"] as JsonArray ?? []).Select(tool => (string?)tool!["function"]!["name"] ?? "")];
        var count = _counts.AddOrUpdate(word, 1, (_, before) => before + 1);
        SignalOf(word).TrySetResult();
        context.RequestAborted.Register(() => GoneSignalOf(word).TrySetResult());
        if (_holds.TryGetValue(word, out var hold)) await hold.Task.WaitAsync(context.RequestAborted);
        var answer = $"answer to {word}";
        if ((bool?)request["stream"] != true)
        {
            await context.Response.WriteAsJsonAsync(Frame("message", new JsonObject { ["role"] = "assistant", ["content"] = answer }, "stop"));
            return;
        }

        context.Response.ContentType = "text/event-stream";
        var tool = count > 1 ? null : word == Unasked ? CallOf(request, UnaskedCall) : ToolFor(word, request);
        if (tool is not null)
        {
            await SendAsync(Frame("delta", new JsonObject { ["role"] = "assistant", ["tool_calls"] = new JsonArray(tool) }, null));
            await SendAsync(Frame("delta", [], "tool_calls"));
            await context.Response.WriteAsync("data: [DONE]\n\n");
            return;
        }

        await SendAsync(Frame("delta", new JsonObject { ["role"] = "assistant", ["content"] = "" }, null));
        foreach (var piece in answer.Chunk(4)) await SendAsync(Frame("delta", new JsonObject { ["content"] = new string(piece) }, null));
        await SendAsync(Frame("delta", [], "stop"));
        await context.Response.WriteAsync("data: [DONE]\n\n");

        async Task SendAsync(JsonObject frame)
        {
            await context.Response.WriteAsync($"data: {frame.ToJsonString()}\n\n");
            await context.Response.Body.FlushAsync();
        }
    }

    private static JsonObject? CallOf(JsonObject request, (string Name, string Arguments)? call)
    {
        if (call is not { } wanted || request["tools"] is not JsonArray tools) return null;
        var own = tools.Any(tool => (string?)tool!["function"]!["name"] == wanted.Name);
        return new JsonObject
        {
            ["index"] = 0,
            ["id"] = "call_1",
            ["type"] = "function",
            ["function"] = new JsonObject
            {
                // The gateway keeps tools in a catalogue and offers one that calls them by name.
                ["name"] = own ? wanted.Name : "tool_call",
                ["arguments"] = own ? wanted.Arguments : $$"""{"id":"{{wanted.Name}}","args":{{wanted.Arguments}}}""",
            },
        };
    }

    private static JsonObject? ToolFor(string word, JsonObject request)
    {
        if (request["tools"] is not JsonArray { Count: > 0 } tools) return null;
        // Offered by its own name, it is called by that.
        if (word.StartsWith("named-", StringComparison.Ordinal)
            && tools.FirstOrDefault(tool => (string?)tool!["function"]!["name"] == word["named-".Length..]) is { } own)
        {
            return new JsonObject
            {
                ["index"] = 0,
                ["id"] = "call_1",
                ["type"] = "function",
                ["function"] = new JsonObject { ["name"] = (string?)own["function"]!["name"], ["arguments"] = "{}" },
            };
        }

        // The gateway keeps tools in a catalogue and offers one that calls them by name.
        var named = word.StartsWith("named-", StringComparison.Ordinal) ? tools.FirstOrDefault(tool => (string?)tool!["function"]!["name"] == "tool_call") : null;
        if (named is null && !word.StartsWith("tool-", StringComparison.Ordinal)) return null;
        return new JsonObject
        {
            ["index"] = 0,
            ["id"] = "call_1",
            ["type"] = "function",
            ["function"] = new JsonObject
            {
                ["name"] = (string?)(named ?? tools[0])!["function"]!["name"],
                ["arguments"] = named is null ? "{}" : "{\"id\":\"" + word["named-".Length..] + "\",\"args\":{}}"
            },
        };
    }

    private static JsonObject Frame(string part, JsonObject content, string? finish) => new()
    {
        ["id"] = "completion",
        ["object"] = part == "delta" ? "chat.completion.chunk" : "chat.completion",
        ["created"] = 0,
        ["model"] = "fake",
        ["choices"] = new JsonArray(new JsonObject { ["index"] = 0, [part] = content, ["finish_reason"] = finish }),
        ["usage"] = finish is null ? null : new JsonObject { ["prompt_tokens"] = 1, ["completion_tokens"] = 1, ["total_tokens"] = 2 },
    };

    private static string WordOf(JsonArray? messages)
    {
        foreach (var message in messages?.Reverse() ?? [])
        {
            if ((string?)message?["role"] != "user") continue;
            var text = new StringBuilder();
            if (message["content"] is JsonArray parts)
            {
                foreach (var part in parts) text.AppendLine((string?)part?["text"]);
            }
            else
            {
                text.Append((string?)message["content"]);
            }

            if (Asked().Matches(text.ToString()).LastOrDefault() is { } match) return match.Groups[1].Value;
        }

        return Unasked;
    }

    [GeneratedRegex(@"ask:([\w-]+)", RegexOptions.CultureInvariant)]
    private static partial Regex Asked();
}
