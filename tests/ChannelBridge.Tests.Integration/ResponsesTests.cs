using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Tests.Unit.Responses;

namespace ChannelBridge.Tests.Integration;

/// <summary>Open Responses with the host as a process: killed in the middle of an answer, and asked from the command line.</summary>
public sealed class ResponsesTests
{
    [Fact]
    public async Task HostKilledMidStream_ClientGoesOnWhereItWas_AndIsToldTheEnd()
    {
        await using var model = new PausingModel();
        string[] arguments = ["--agent", model.Agent, "--agent-model", "m"];
        await using var first = await HostProcess.StartAsync(arguments: arguments);
        using var client = Client(first);
        var seen = new List<JsonNode>();
        using (var response = await client.SendAsync(Post("""{"input":"x","stream":true}"""), HttpCompletionOption.ResponseHeadersRead))
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync().WaitAsync(HostProcess.Timeout) is { } line)
            {
                if (line.StartsWith("data: ", StringComparison.Ordinal)) seen.Add(JsonNode.Parse(line[6..])!);
                if (Text(seen) == "slow and steady") break;
            }
        }

        var id = (string)seen[0]["response"]!["id"]!;
        await first.KillAsync();
        await using var second = await HostProcess.StartAsync(first.Data, arguments);
        using var again = Client(second);
        var rest = await again.GetStringAsync($"responses/{id}?stream=true&starting_after={seen.Count - 1}");
        var stream = StreamChecker.Check([.. seen, .. Parse(rest)]);
        Assert.Equal("interrupted", (string)stream.Final!["error"]!["code"]!);
        Assert.Equal(["slow and steady"], stream.Messages);
        var kept = JsonNode.Parse(await again.GetStringAsync("responses/" + id))!;
        Assert.Equal("failed", (string)kept["status"]!);
        Assert.Equal("x", (string)JsonNode.Parse(await again.GetStringAsync($"responses/{id}/input_items"))!["data"]![0]!["content"]![0]!["text"]!);
        Assert.Equal(0, await second.StopAsync());
    }

    [Fact]
    public async Task ConversationAndEvents_SurviveARestart()
    {
        await using var first = await HostProcess.StartAsync();
        string id;
        string events;
        using (var client = Client(first))
        {
            using var response = await client.SendAsync(Post("""{"input":"one","stream":true}"""));
            events = await response.Content.ReadAsStringAsync();
            id = (string)Parse(events)[0]["response"]!["id"]!;
        }

        Assert.Equal(0, await first.StopAsync());
        await using var second = await HostProcess.StartAsync(first.Data);
        using var again = Client(second);
        Assert.Equal(events, await again.GetStringAsync($"responses/{id}?stream=true"));
        using var next = await again.SendAsync(Post($$"""{"input":"two","previous_response_id":"{{id}}"}"""));
        Assert.Equal("completed", (string)JsonNode.Parse(await next.Content.ReadAsStringAsync())!["status"]!);
    }

    [Fact]
    public async Task Stop_EndsWhatRuns()
    {
        await using var model = new PausingModel();
        await using var host = await HostProcess.StartAsync(
            arguments: ["--agent", model.Agent, "--agent-model", "m"],
            environment: new Dictionary<string, string> { ["CHANNELBRIDGE__LIMITS__STOPGRACE"] = "1s" });
        using var client = Client(host);
        using var response = await client.SendAsync(Post("""{"input":"x","stream":true}"""), HttpCompletionOption.ResponseHeadersRead);
        var text = response.Content.ReadAsStringAsync();
        Assert.Equal(0, await host.StopAsync());
        Assert.Equal("interrupted", (string)StreamChecker.Check(Parse(await text.WaitAsync(HostProcess.Timeout))).Final!["error"]!["code"]!);
    }

    [Fact]
    public async Task Ask_PrintsTheAnswer()
    {
        await using var host = await HostProcess.StartAsync();
        var plain = await HostProcess.RunAsync(["ask", "--data", host.Data, "hello", "there"]);
        Assert.Equal((0, "echo: hello there\n"), (plain.ExitCode, plain.Output));
        var id = plain.Errors.Split("response: ")[1].Trim();
        var streamed = await HostProcess.RunAsync(["ask", "--data", host.Data, "--stream", "--previous", id, "-"], "from standard input\n");
        Assert.Equal((0, "echo: from standard input\n"), (streamed.ExitCode, streamed.Output));
        var events = await HostProcess.RunAsync(["ask", "--data", host.Data, "--stream", "--json", "x"]);
        var lines = events.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!).ToList();
        Assert.Equal("response.completed", (string)lines[^1]["type"]!);
        var whole = await HostProcess.RunAsync(["ask", "--data", host.Data, "--json", "--model", "echo", "x"]);
        Assert.Equal("completed", (string)JsonNode.Parse(whole.Output)!["status"]!);
        var unknown = await HostProcess.RunAsync(["ask", "--data", host.Data, "--previous", "resp_unknown", "x"]);
        Assert.Equal(8, unknown.ExitCode);
        Assert.Contains("NOT_FOUND", unknown.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ask_Interrupted_CancelsTheAnswer()
    {
        await using var model = new PausingModel();
        await using var host = await HostProcess.StartAsync(arguments: ["--agent", model.Agent, "--agent-model", "m"]);
        using var ask = HostProcess.Launch(["ask", "--data", host.Data, "--stream", "x"]);
        var text = new StringBuilder();
        var buffer = new char[64];
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        while (!text.ToString().Contains("steady", StringComparison.Ordinal))
            text.Append(buffer, 0, await ask.StandardOutput.ReadAsync(buffer, timeout.Token));
        using (var kill = Process.Start("kill", ["-INT", ask.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync(timeout.Token);
        await ask.WaitForExitAsync(timeout.Token);
        Assert.Equal(130, ask.ExitCode);
        Assert.Contains("cancelled", await ask.StandardError.ReadToEndAsync(timeout.Token), StringComparison.Ordinal);
        await model.HungUp.Task.WaitAsync(HostProcess.Timeout);
    }

    private static HttpClient Client(HostProcess host)
    {
        var client = new HttpClient { BaseAddress = new Uri(host.Url, "/v1/"), Timeout = HostProcess.Timeout };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", host.Token);
        return client;
    }

    private static HttpRequestMessage Post(string body) => new(HttpMethod.Post, "responses") { Content = new StringContent(body, Encoding.UTF8, "application/json") };

    private static string Text(List<JsonNode> events) =>
        string.Concat(events.Where(one => (string)one["type"]! == "response.output_text.delta").Select(one => (string)one["delta"]!));

    private static List<JsonNode> Parse(string text) =>
        [.. text.Split("\n\n").Where(block => block.StartsWith("event: ", StringComparison.Ordinal))
            .Select(block => JsonNode.Parse(block[(block.IndexOf("\ndata: ", StringComparison.Ordinal) + 7)..])!)];
}
