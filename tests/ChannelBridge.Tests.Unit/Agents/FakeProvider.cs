using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Unit.Agents;

/// <summary>A model server on loopback that does what a test tells it to, and keeps what it was asked.</summary>
public sealed class FakeProvider : IAsyncDisposable
{
    private readonly WebApplication _app;

    private FakeProvider(WebApplication app) => _app = app;

    /// <summary>What was asked, in order.</summary>
    public ConcurrentQueue<FakeRequest> Requests { get; } = new();

    /// <summary>The address without a path.</summary>
    public string Address => _app.Urls.First();

    /// <summary>Completes when a request's connection was cut by the client while it was being answered.</summary>
    public TaskCompletionSource Aborted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Starts a server that answers each request by <paramref name="answer"/>.</summary>
    public static async Task<FakeProvider> StartAsync(Func<FakeRequest, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var provider = new FakeProvider(app);
        app.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            var request = new FakeRequest(context, body, provider.Requests.Count + 1);
            provider.Requests.Enqueue(request);
            context.RequestAborted.Register(() => provider.Aborted.TrySetResult());
            context.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
            await answer(request);
        });
        await app.StartAsync();
        return provider;
    }

    public async ValueTask DisposeAsync()
    {
        using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(1));
        await _app.StopAsync(soon.Token);
        await _app.DisposeAsync();
    }
}

/// <summary>One request, and the means to answer it.</summary>
public sealed class FakeRequest(HttpContext context, string body, int number)
{
    /// <summary>1 for the first request.</summary>
    public int Number => number;

    public string Path { get; } = context.Request.Path + context.Request.QueryString;

    public string? Authorization { get; } = context.Request.Headers.Authorization.FirstOrDefault();

    public JsonElement Json { get; } = JsonDocument.Parse(body.Length == 0 ? "null" : body).RootElement;

    public CancellationToken Aborted => context.RequestAborted;

    /// <summary>Answers with a status and a body.</summary>
    public Task RefuseAsync(int status, string text, string? retryAfter = null)
    {
        context.Response.StatusCode = status;
        if (retryAfter is not null) context.Response.Headers.RetryAfter = retryAfter;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(text);
    }

    /// <summary>Answers with a body of a type and a coding that may be wrong.</summary>
    public Task AnswerAsync(string type, string? coding, byte[] body)
    {
        context.Response.ContentType = type;
        if (coding is not null) context.Response.Headers.ContentEncoding = coding;
        return context.Response.Body.WriteAsync(body).AsTask();
    }

    /// <summary>Writes a piece of a stream as it stands, and flushes it.</summary>
    public Task WriteAsync(string text) => WriteAsync(Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="WriteAsync(string)"/>
    public async Task WriteAsync(byte[] bytes)
    {
        if (!context.Response.HasStarted) context.Response.ContentType ??= "text/event-stream";
        await context.Response.Body.WriteAsync(bytes);
        await context.Response.Body.FlushAsync();
    }

    /// <summary>Sends one event with the type that stands in its data.</summary>
    public Task EventAsync(object data)
    {
        var json = JsonSerializer.SerializeToElement(data);
        return WriteAsync($"event: {json.GetProperty("type").GetString()}\ndata: {json.GetRawText()}\n\n");
    }

    /// <summary>Sends one chunk of a chat completion.</summary>
    public Task ChunkAsync(object delta, string? finish = null) =>
        WriteAsync($"data: {JsonSerializer.Serialize(new { @object = "chat.completion.chunk", choices = new[] { new { index = 0, delta, finish_reason = finish } } })}\n\n");

    /// <summary>A whole answer of one text over chat completions.</summary>
    public async Task ChatAsync(params string[] deltas)
    {
        foreach (var delta in deltas) await ChunkAsync(new { content = delta });
        await ChunkAsync(new { }, "stop");
        await WriteAsync("data: [DONE]\n\n");
    }

    /// <summary>A whole answer of one text over Open Responses.</summary>
    public async Task ResponseAsync(params string[] deltas)
    {
        var item = new
        {
            id = "msg_1",
            type = "message",
            role = "assistant",
            status = "completed",
            content = new[] { new { type = "output_text", text = string.Concat(deltas), annotations = Array.Empty<object>() } }
        };
        await EventAsync(new { type = "response.created", sequence_number = 0, response = new { id = "resp_1", status = "in_progress" } });
        foreach (var delta in deltas) await EventAsync(new { type = "response.output_text.delta", item_id = "msg_1", output_index = 0, content_index = 0, delta });
        await EventAsync(new { type = "response.output_item.done", output_index = 0, item });
        await EventAsync(
            new
            {
                type = "response.completed",
                response =
                new
                {
                    id = "resp_1",
                    status = "completed",
                    output = new[] { item },
                    usage = new { input_tokens = 3, output_tokens = 5, total_tokens = 8 }
                }
            });
        await WriteAsync("data: [DONE]\n\n");
    }

    /// <summary>Cuts the connection without an end.</summary>
    public void Abort() => context.Abort();

    /// <summary>Says nothing until the client goes.</summary>
    public async Task SilenceAsync()
    {
        try
        {
            await Task.Delay(Timeout.Infinite, Aborted);
        }
        catch (OperationCanceledException)
        {
            // The client has gone.
        }
    }
}
