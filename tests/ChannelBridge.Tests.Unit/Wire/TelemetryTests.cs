using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace ChannelBridge.Tests.Unit.Wire;

public sealed class TelemetryTests
{
    [Fact]
    public async Task Request_WithTrace_HasASpanUnderIt()
    {
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "ChannelBridge.Endpoints",
            Sample = (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        const string Trace = "1af7651916cd43dd8448eb211c80319c";
        await client.SendAsync($$"""{"type":"req","id":"t","method":"test.fail","params":{"code":"busy","later":true},"traceparent":"00-{{Trace}}-b7ad6b7169203331-01"}""");
        await client.ReceiveAsync();
        await client.CallAsync("n", "test.echo", """{"text":"x"}""");

        var span = Assert.Single(spans, span => span.TraceId.ToString() == Trace);
        Assert.Equal("test.fail", span.OperationName);
        Assert.Equal("b7ad6b7169203331", span.ParentSpanId.ToString());
        Assert.Equal(ActivityStatusCode.Error, span.Status);
        Assert.Equal("BUSY", span.StatusDescription);
        // The method heard of the span, and a request without a trace begins its own.
        Assert.Contains(host.Methods.Traces, trace => spans.Any(known => known.OperationName == "test.echo" && known.SpanId == trace.SpanId && known.ParentSpanId == default));
    }

    [Fact]
    public async Task Metrics_Requests_AreCountedByMethodAndCode()
    {
        var durations = new ConcurrentQueue<(string Method, string Code)>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Name == "channelbridge.doors.request.duration") self.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<double>((_, value, tags, _) =>
        {
            string method = "", code = "";
            foreach (var (key, tag) in tags)
            {
                if (key == "channelbridge.method") method = (string)tag!;
                if (key == "channelbridge.code") code = (string)tag!;
            }

            Assert.True(value >= 0);
            durations.Enqueue((method, code));
        });
        listener.Start();
        await using var host = await WireHost.StartAsync();
        await using var client = await host.ConnectAsync();
        await client.CallAsync("1", "test.admin", """{"text":"x"}""");
        await client.CallAsync("2", "test.legacy", """{"code":"details"}""");

        Assert.Contains(("test.admin", "ok"), durations);
        Assert.Contains(("test.legacy", "CONFLICT"), durations);
    }
}
