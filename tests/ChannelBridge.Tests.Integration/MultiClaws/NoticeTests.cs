using System.Text.Json.Nodes;
using System.Threading.Channels;
using ChannelBridge.Tests.Shared.A2A;

namespace ChannelBridge.Tests.Integration.MultiClaws;

/// <summary>The way of a notice into a session of the gateway: handed over under its key until it is acked, and never again; in order; whoever is killed in between.</summary>
public sealed class NoticeTests
{
    // Not the main session: that one is told of the profile as well.
    private const string Session = "agent:main:asked";

    [Fact]
    public async Task Notice_that_was_not_acked_comes_again_under_its_key_and_an_acked_one_never()
    {
        await using var remote = await DoorServer.StartAsync();
        await using var host = await SessionHost.StartAsync();
        await host.CallAsync("agents.add", new JsonObject { ["url"] = remote.Url.AbsoluteUri });
        // The end of one, a question and the end of another: three words into the same session of the gateway, which is away.
        var first = await CompletedAsync(host, remote, "one");
        var second = await host.BeginAsync(remote.Url.AbsoluteUri, "ask", Session);
        await host.UntilAsync(second, "input-required");
        await host.CallAsync("session.reply", new JsonObject { ["sessionId"] = second, ["message"] = "two" });
        await host.UntilAsync(second, "completed");

        // It takes the first word, and is gone before it could say so. The others wait behind it.
        string lost;
        var taken = Listener();
        await using (await ScriptedGateway.ConnectAsync(host.Process, Silent, notice => Take(taken, notice, answer: false)))
        {
            var (key, text) = await taken.Reader.NextAsync();
            Assert.Contains(first, text, StringComparison.Ordinal);
            lost = key;
        }

        Assert.False(taken.Reader.TryRead(out _));

        // The next one gets it again under its key, acks it, gets the question, and is gone before it has acked that.
        taken = Listener();
        var answered = 0;
        string unsaid;
        await using (await ScriptedGateway.ConnectAsync(host.Process, Silent, notice => Take(taken, notice, answer: Interlocked.Increment(ref answered) == 1)))
        {
            Assert.Equal(lost, (await taken.Reader.NextAsync()).Key);
            var (key, text) = await taken.Reader.NextAsync();
            Assert.Contains("multiclaws_session_reply", text, StringComparison.Ordinal);
            unsaid = key;
            await UntilAckedAsync(host, 1);
        }

        // Also when the host is killed then: what was acked is on its disk, and what wasn't, too.
        await host.KillAsync();
        await host.StartAgainAsync();
        taken = Listener();
        await using (await ScriptedGateway.ConnectAsync(host.Process, Silent, notice => Take(taken, notice, answer: true)))
        {
            Assert.Equal(unsaid, (await taken.Reader.NextAsync()).Key);
            var (key, text) = await taken.Reader.NextAsync();
            Assert.Contains(second, text, StringComparison.Ordinal);
            Assert.Equal(3, new[] { lost, unsaid, key }.Distinct().Count());
            await UntilAckedAsync(host, 3);
        }

        // Nothing of them comes again: the next word is the next session's. A lane is in order, so that one of them would come before.
        await host.KillAsync();
        await host.StartAgainAsync();
        taken = Listener();
        await using var last = await ScriptedGateway.ConnectAsync(host.Process, Silent, notice => Take(taken, notice, answer: true));
        var third = await CompletedAsync(host, remote, "three");
        Assert.Contains(third, (await taken.Reader.NextAsync()).Text, StringComparison.Ordinal);
        await UntilAckedAsync(host, 4);
        Assert.False(taken.Reader.TryRead(out _));
    }

    private static Task<string> Silent(string text, Func<string, JsonObject, Task<JsonNode>> tool) => Task.FromResult("");

    private static Channel<(string Key, string Text)> Listener() => Channel.CreateUnbounded<(string Key, string Text)>();

    private static bool Take(Channel<(string Key, string Text)> taken, JsonObject notice, bool answer)
    {
        if ((string?)notice["sessionKey"] != Session) return true;
        taken.Writer.TryWrite(((string)notice["key"]!, (string)notice["text"]!));
        return answer;
    }

    private static async Task<string> CompletedAsync(SessionHost host, DoorServer remote, string text)
    {
        var id = await host.BeginAsync(remote.Url.AbsoluteUri, text, Session);
        await host.UntilAsync(id, "completed");
        return id;
    }

    private static Task UntilAckedAsync(SessionHost host, int count) => Wait.UntilAsync(
        async () =>
        {
            var entries = (await host.CallAsync("outbox.list", new JsonObject { ["channel"] = "openclaw", ["sessionKey"] = Session }))["entries"]!.AsArray();
            return entries.Count(static entry => (string?)entry!["state"] == "delivered") == count;
        },
        $"{count} notices are acked");
}

file static class Reading
{
    public static async Task<(string Key, string Text)> NextAsync(this ChannelReader<(string Key, string Text)> reader) =>
        await reader.ReadAsync().AsTask().WaitAsync(HostProcess.Timeout);
}
