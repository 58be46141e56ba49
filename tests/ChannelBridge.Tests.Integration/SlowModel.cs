using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Integration;

/// <summary>
/// A model server that speaks chat completions, as slowly as the test wants: it says the first half of its answer at once and the second when it may.
/// </summary>
internal sealed class SlowModel : IAsyncDisposable
{
    /// <summary>The two halves.</summary>
    public const string First = "The first half of the answer, which comes at once. ";

    /// <inheritdoc cref="First"/>
    public const string Second = "And the second half.";

    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<JsonObject> _requests = new();
    private readonly SemaphoreSlim _asked = new(0);
    private int _gone;

    private SlowModel(WebApplication app) => _app = app;

    /// <summary>Where it listens.</summary>
    public string Url => _app.Urls.First();

    /// <summary>What it was asked, in order.</summary>
    public IReadOnlyList<JsonObject> Requests => [.. _requests];

    /// <summary>Clients that left before their answer had ended.</summary>
    public int Gone => Volatile.Read(ref _gone);

    /// <summary>So many pieces of 64 KiB it says between the two halves.</summary>
    public int Flood { get; set; }

    /// <summary>Lets answers end.</summary>
    public TaskCompletionSource Go { get; set; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Starts it on a free port.</summary>
    public static async Task<SlowModel> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var model = new SlowModel(app);
        app.MapPost("/v1/chat/completions", model.AnswerAsync);
        await app.StartAsync();
        return model;
    }

    /// <summary>Waits until it was asked once more.</summary>
    public async Task AskedAsync() => Assert.True(await _asked.WaitAsync(HostProcess.Timeout));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await _app.StopAsync(timeout.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var request = (await JsonNode.ParseAsync(context.Request.Body))!.AsObject();
        _requests.Enqueue(request);
        context.Response.ContentType = "text/event-stream";
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, context.RequestAborted);
        try
        {
            await SayAsync(context, First);
            _asked.Release();
            await Go.Task.WaitAsync(end.Token);
            for (var i = 0; i < Flood; i++) await SayAsync(context, new string('x', 64 * 1024));
            await SayAsync(context, Second);
            await context.Response.WriteAsync("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException)
        {
            Interlocked.Increment(ref _gone);
        }
    }

    private static async Task SayAsync(HttpContext context, string text)
    {
        var chunk = new JsonObject { ["choices"] = new JsonArray(new JsonObject { ["index"] = 0, ["delta"] = new JsonObject { ["content"] = text } }) };
        await context.Response.WriteAsync($"data: {chunk.ToJsonString()}\n\n");
        await context.Response.Body.FlushAsync();
    }
}
