using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Tests.Integration;

public sealed class TelemetryTests
{
    private const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";

    [Fact]
    public async Task Otlp_AfterAChatAndAStop_HasLogsTracesAndMetricsOfEveryRoom()
    {
        var received = new ConcurrentDictionary<string, StringBuilder>();
        var spans = new ConcurrentQueue<OtlpSpan>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var collector = builder.Build();
        collector.MapPost("/v1/{signal}", async (HttpContext context) =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            var signal = (string)context.Request.RouteValues["signal"]!;
            if (signal == "traces") foreach (var span in OtlpSpans.Read(body.ToArray())) spans.Enqueue(span);
            // Protobuf keeps strings as they are: names can be searched for without a schema.
            var text = Encoding.Latin1.GetString(body.ToArray());
            var all = received.GetOrAdd(signal, _ => new StringBuilder());
            lock (all) all.Append(text);
        });
        await collector.StartAsync();

        // Gauges are read while the host runs, not at its end.
        var often = new Dictionary<string, string> { ["OTEL_METRIC_EXPORT_INTERVAL"] = "100" };
        await using (var host = await HostProcess.StartAsync(arguments: ["--otlp", collector.Urls.First()], environment: often))
        {
            Assert.Equal(0, (await HostProcess.RunAsync(["chat", "--data", host.Data], "a private text\n")).ExitCode);
            await SendWithTraceAsync(host);
            await AskOverHttpAsync(host);

            // A stop flushes: nothing waits for the interval of the export.
            Assert.Equal(0, await host.StopAsync());
        }

        var metrics = received["metrics"].ToString();
        foreach (var name in new[] { "channelbridge.inbox.accepted", "channelbridge.turns", "channelbridge.inbox.pending", "channelbridge.lanes.deepest",
            "channelbridge.doors.buffered.max", "kestrel.active_connections", "dotnet.process.cpu.time", "http.server.active_requests",
            "http.server.request.duration" })
            Assert.Contains(name, metrics, StringComparison.Ordinal);
        var traces = received["traces"].ToString();
        Assert.Contains("ChannelBridge.Core", traces, StringComparison.Ordinal);
        Assert.Contains("bncr.inbound", traces, StringComparison.Ordinal);
        // One trace from the request through turn and push to the ack.
        var id = Encoding.Latin1.GetString(Convert.FromHexString(TraceId));
        Assert.InRange(traces.Split(id).Length - 1, 3, int.MaxValue);
        var logs = received["logs"].ToString();
        Assert.Contains("ChannelBridge.", logs, StringComparison.Ordinal);
        Assert.DoesNotContain("a private text", metrics + traces + logs, StringComparison.Ordinal);

        // Requests that end with their answer have a span; connections, event streams and probes have none, and nothing is left hanging below one.
        var server = spans.Where(span => span.Scope == "Microsoft.AspNetCore").Select(span => span.Name).Order();
        Assert.Equal(["GET /v1/models", "POST /v1/responses"], server);
        var known = spans.Select(span => span.Id).ToHashSet();
        Assert.All(spans, span => Assert.True(
            span.ParentId.Length == 0 || known.Contains(span.ParentId) || span.TraceId == TraceId, $"{span} has a parent that nobody sent"));
        var methods = spans.Where(span => span.Scope == "ChannelBridge.Endpoints" && span.Name == "bncr.connect").ToList();
        Assert.NotEmpty(methods);
        Assert.All(methods, span => Assert.Empty(span.ParentId));
    }

    private static async Task AskOverHttpAsync(HostProcess host)
    {
        using var http = new HttpClient { BaseAddress = host.Url, Timeout = HostProcess.Timeout };
        http.DefaultRequestHeaders.Authorization = new("Bearer", host.Token);
        Assert.Contains("ok", await http.GetStringAsync("/healthz"), StringComparison.Ordinal);
        Assert.NotEmpty(await http.GetStringAsync("/v1/models"));
        foreach (var stream in new[] { "true", "false" })
        {
            using var body = new StringContent($$"""{"model":"echo","input":"a private text","stream":{{stream}}}""", Encoding.UTF8, "application/json");
            using var answer = await http.PostAsync("/v1/responses", body);
            answer.EnsureSuccessStatusCode();
            Assert.Contains("a private text", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    private static async Task SendWithTraceAsync(HostProcess host)
    {
        await using var client = new WireClient();
        var pushed = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        client.OnEvent = (name, payload) =>
        {
            if (name == "bncr.push") pushed.TrySetResult((string)payload["messageId"]!);
        };
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        await client.CallAsync("bncr.connect", new JsonObject { ["accountId"] = "Traced", ["clientId"] = "test", ["ack"] = true });
        await client.SendAsync(new JsonObject
        {
            ["type"] = "req",
            ["id"] = "traced",
            ["method"] = "bncr.inbound",
            ["params"] = new JsonObject { ["accountId"] = "Traced", ["clientId"] = "test", ["platform"] = "lab", ["userId"] = "u", ["msg"] = "a private text" },
            ["traceparent"] = $"00-{TraceId}-00f067aa0ba902b7-01",
        });
        var id = await pushed.Task.WaitAsync(HostProcess.Timeout);
        await client.CallAsync("bncr.ack", new JsonObject { ["accountId"] = "Traced", ["clientId"] = "test", ["messageId"] = id });
    }
}
