using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ChannelBridge.Bench;

/// <summary>
/// A provider of <c>/v1/responses</c> that costs next to nothing: each delta says when it was written. The request's text says how many deltas it wants and
/// how far apart: <c>stream 1000 2</c> is a thousand, two milliseconds apart, <c>stream 10000 0</c> ten thousand as fast as they are read.
/// </summary>
internal static partial class ProviderServer
{
    public static async Task<int> RunAsync(int port)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        var app = builder.Build();
        app.MapPost("/v1/responses", AnswerAsync);
        await app.StartAsync();
        Console.WriteLine("ready");
        await app.WaitForShutdownAsync();
        return 0;
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var wanted = Wanted().Match(await reader.ReadToEndAsync());
        var (count, pace) = (int.Parse(wanted.Groups[1].ValueSpan, CultureInfo.InvariantCulture), int.Parse(wanted.Groups[2].ValueSpan, CultureInfo.InvariantCulture));
        context.Response.ContentType = "text/event-stream";
        const string Item = """{"type":"message","id":"msg_1","status":"in_progress","role":"assistant","content":[]}""";
        await SayAsync("response.created", """ "response":{"id":"resp_1","object":"response","status":"in_progress","output":[]} """);
        await SayAsync("response.in_progress", """ "response":{"id":"resp_1","object":"response","status":"in_progress","output":[]} """);
        await SayAsync("response.output_item.added", $$""" "output_index":0,"item":{{Item}} """);
        await SayAsync("response.content_part.added", """ "item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]} """);
        using var timer = pace > 0 ? new PeriodicTimer(TimeSpan.FromMilliseconds(pace)) : null;
        for (var number = 0; number < count; number++)
        {
            if (timer is not null) await timer.WaitForNextTickAsync(context.RequestAborted);
            await SayAsync("response.output_text.delta", $$""" "item_id":"msg_1","output_index":0,"content_index":0,"delta":"@{{Stopwatch.GetTimestamp()}}@ a few words more " """);
        }

        await SayAsync("response.completed",
            """ "response":{"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[]}]} """);
        await context.Response.WriteAsync("data: [DONE]\n\n");

        async Task SayAsync(string type, string rest)
        {
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes($"event: {type}\ndata: {{\"type\":\"{type}\",\"sequence_number\":0,{rest}}}\n\n"));
            await context.Response.Body.FlushAsync();
        }
    }

    [GeneratedRegex(@"stream (\d+) (\d+)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Wanted();
}
