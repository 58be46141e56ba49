using System.Text.Json.Nodes;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary><c>channelbridge import multiclaws</c>: what the plugin has kept goes on here, and a repetition does no harm.</summary>
public sealed class ImportTests
{
    [Fact]
    public async Task Folder_of_the_plugin_is_taken_over_and_a_repetition_changes_nothing()
    {
        await using var host = await SessionHost.StartAsync(new() { ["CHANNELBRIDGE__CHANNELS__MULTICLAWS__ALLOWOPENTEAMS"] = "true" });
        var folder = HostProcess.NewDataFolder();
        await WriteAsync("profile.json", """{"ownerName":"Ann","bio":"knows orders"}""");
        await WriteAsync("agents.json", """
            {"version":1,"agents":[{"url":"https://shop.example:3100/","name":"shop","description":"sells","skills":["general"],"apiKey":"its-key","addedAtMs":1,"lastSeenAtMs":2},
            {"url":"no address","name":"odd"}]}
            """);
        await WriteAsync("teams.json", """
            {"version":1,"teams":[{"teamId":"t-1","teamName":"us","selfUrl":"http://10.0.0.1:3100","createdAtMs":3,
            "members":[{"url":"http://10.0.0.1:3100","name":"Ann","joinedAtMs":3},{"url":"http://10.0.0.2:3100","name":"Bob","joinedAtMs":4}]}]}
            """);
        await WriteAsync("sessions.json", """
            {"version":1,"sessions":[{"sessionId":"s-done","agentUrl":"https://shop.example:3100","agentName":"shop","contextId":"c","status":"completed","createdAtMs":5,"updatedAtMs":6,
            "messages":[{"role":"user","content":"open?","timestampMs":5},{"role":"agent","content":"yes","timestampMs":6,"taskId":"x"}]},
            {"sessionId":"s-at-work","agentUrl":"https://shop.example:3100","agentName":"shop","contextId":"d","status":"active","createdAtMs":7,"updatedAtMs":8,
            "messages":[{"role":"user","content":"how many?","timestampMs":7}]}]}
            """);
        await WriteAsync("tasks.json", """
            {"version":1,"tasks":{"k-1":{"taskId":"k-1","fromPeerId":"local","toPeerId":"https://shop.example:3100","task":"count","status":"completed","createdAtMs":9,"updatedAtMs":10,"result":"12"}}}
            """);

        var first = await ImportAsync();
        Assert.True(first.ExitCode == 0, first.Errors);
        Assert.Equal("profile: took over 1\nagent: took over 1\nteam: took over 1\nsession: took over 2\ntask: took over 1", first.Output.Trim());
        Assert.Contains("skipped (agent): url is no address", first.Errors, StringComparison.Ordinal);
        var before = await SeenAsync();
        Assert.Contains("\"s-done\",\"agentUrl\":\"https://shop.example:3100\"", before, StringComparison.Ordinal);
        Assert.DoesNotContain("its-key", before, StringComparison.Ordinal);
        Assert.Equal("yes", (string?)(await host.StatusAsync("s-done"))["messages"]![1]!["content"]);
        var lost = await host.StatusAsync("s-at-work");
        Assert.Equal(("failed", "it was at work when it was taken over"), ((string?)lost["status"], (string?)lost["error"]));
        Assert.Equal("12", (string?)(await host.CallAsync("task.status", new JsonObject { ["taskId"] = "k-1" }))["task"]!["result"]);
        var agents = (await host.CallAsync("agents.list"))["agents"]!.AsArray();
        Assert.True((bool)agents.Single(static agent => (string?)agent!["name"] == "shop")!["hasKey"]!);
        Assert.Equal(2, (await host.CallAsync("teams.members"))["members"]!.AsArray().Count);

        // Again, after the user has changed something here.
        await host.CallAsync("profile.set", new JsonObject { ["ownerName"] = "Anna" });
        before = await SeenAsync();
        var second = await ImportAsync();
        Assert.Equal((0, "profile: took over 0, 1 were here already\nagent: took over 0, 1 were here already\nteam: took over 0, 1 were here already\n"
            + "session: took over 0, 2 were here already\ntask: took over 0, 1 were here already"), (second.ExitCode, second.Output.Trim()));
        Assert.Equal(before, await SeenAsync());
        Assert.Equal(2, (await HostProcess.RunAsync(["import", "multiclaws", Path.Combine(folder, "nowhere"), "--data", host.Process.Data])).ExitCode);

        Task WriteAsync(string name, string text) => File.WriteAllTextAsync(Path.Combine(folder, name), text);

        Task<CommandResult> ImportAsync() => HostProcess.RunAsync(["import", "multiclaws", folder, "--data", host.Process.Data]);

        async Task<string> SeenAsync() => string.Join('\n', (await host.CallAsync("session.status")).ToJsonString(), (await host.CallAsync("agents.list")).ToJsonString(),
            (await host.CallAsync("teams.members")).ToJsonString(), (await host.CallAsync("profile.show")).ToJsonString());
    }
}
