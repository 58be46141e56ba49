using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace ChannelBridge.Tests.Integration;

/// <summary>Everything that was ever a target can be sent to on the own listener; through the gateway the interop tests say the same.</summary>
public sealed class TargetTests
{
    [Fact]
    public async Task Send_EveryTargetForm_ReachesItsConversationAndNoOther()
    {
        await using var host = await HostProcess.StartAsync();
        await using var client = new WireClient();
        var pushes = Channel.CreateUnbounded<JsonObject>();
        client.OnEvent = (name, payload) =>
        {
            if (name == "bncr.push") pushes.Writer.TryWrite(payload.DeepClone().AsObject());
        };
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        await client.CallAsync("bncr.connect", new JsonObject { ["clientId"] = "targets", ["ack"] = true });

        foreach (var (group, user) in new[] { ("0", "anna"), ("club", "anna"), ("0", "@anna:example.org") })
        {
            await client.CallAsync("bncr.inbound", new JsonObject { ["platform"] = "lab", ["groupId"] = group, ["userId"] = user, ["msg"] = "hello" });
            Assert.Equal("echo: hello", (string?)(await NextAsync())["message"]!["msg"]);
            var number = 0;
            foreach (var form in FormsOf("lab", group, user))
            {
                var text = $"{++number} for {form}";
                var sent = await client.RequestAsync("send", new JsonObject { ["to"] = form, ["message"] = text });
                Assert.True((bool)sent["ok"]!, $"{form}: {sent.ToJsonString()}");
                var push = await NextAsync();
                Assert.Equal((text, group, user), ((string?)push["message"]!["msg"], (string?)push["message"]!["groupId"], (string?)push["message"]!["userId"]));
            }
        }

        async Task<JsonObject> NextAsync()
        {
            var push = await pushes.Reader.ReadAsync().AsTask().WaitAsync(HostProcess.Timeout);
            await client.CallAsync("bncr.ack", new JsonObject { ["messageId"] = (string?)push["messageId"] });
            return push;
        }
    }

    [Fact]
    public async Task Send_UnknownOrNoTarget_IsRefusedWithTheReason()
    {
        const string Unknown = "target not found in known sessions";
        await using var host = await HostProcess.StartAsync();
        await using var client = new WireClient();
        await client.ConnectAsync(host.WebSocketUrl, host.Token);
        foreach (var (target, code, words) in new[]
        {
            ("Bncr:lab:nobody", "NOT_FOUND", Unknown),
            ("lab:0:nobody", "NOT_FOUND", Unknown),
            ("bncr:6c61623a303a6e6f626f6479", "NOT_FOUND", Unknown),
            ("nonsense", "INVALID_REQUEST", "target"),
            ("agent:main:main", "INVALID_REQUEST", "target"),
            ("agent:main:bncr", "INVALID_REQUEST", "target"),
            ("Bncr:lab:", "INVALID_REQUEST", "target"),
            ("", "INVALID_REQUEST", "params.to must name a conversation"),
        })
        {
            var refused = await client.RequestAsync("send", new JsonObject { ["to"] = target, ["message"] = "x" });
            Assert.False((bool)refused["ok"]!, target);
            Assert.Equal((target, code), (target, (string?)refused["error"]!["code"]));
            Assert.Contains(words, (string?)refused["error"]!["message"], StringComparison.OrdinalIgnoreCase);
        }
    }

    private static IEnumerable<string> FormsOf(string platform, string group, string user)
    {
        var route = $"{platform}:{group}:{user}";
        var hex = Convert.ToHexStringLower(Encoding.UTF8.GetBytes(route));
        if (group == "0" && !user.Contains(':', StringComparison.Ordinal)) yield return $"Bncr:{platform}:{user}";
        yield return $"Bncr:{route}";
        foreach (var kind in new[] { "direct", "group" })
        {
            yield return $"agent:main:bncr:{kind}:{hex}";
            yield return $"agent:main:bncr:{kind}:{route}";
            yield return $"agent:other:bncr:{kind}:{hex.ToUpperInvariant()}";
        }

        yield return $"agent:main:bncr:direct:{hex}:0";
        yield return $"agent:main:bncr:{hex}:0";
        yield return $"bncr:{hex}";
        yield return $"bncr:g-{hex}";
        yield return $"bncr:{hex}:0";
        yield return $"bncr:{route}";
        yield return $"bncr:g-{route}";
        yield return hex;
        yield return route;
    }
}
