using System.Text;
using ChannelBridge.Channels.Bncr.Routing;
using FsCheck;
using FsCheck.Fluent;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class TargetTests
{
    private const string Hex = "71713a303a383838383838"; // qq:0:888888
    private static readonly BncrRoute Direct = BncrRoute.Create("qq", "0", "888888", out _)!.Value;
    private static readonly BncrRoute Group = BncrRoute.Create("qq", "g1", "888888", out _)!.Value;

    public static TheoryData<string, string, string?> Forms => new()
    {
        { "Bncr:qq:888888", "qq:0:888888", null },
        { "Bncr:qq:0:888888", "qq:0:888888", null },
        { "Bncr:qq:g1:888888", "qq:g1:888888", null },
        { "Bncr-qq:888888", "qq:0:888888", null },
        { $"agent:main:bncr:direct:{Hex}", "qq:0:888888", null },
        { $"agent:work:bncr:group:{Hex}", "qq:0:888888", null },
        { "agent:main:bncr:direct:qq:g1:888888", "qq:g1:888888", null },
        { "agent:main:bncr:group:qq:g1:888888", "qq:g1:888888", null },
        { $"agent:main:bncr:direct:{Hex}:0", "qq:0:888888", null },
        { $"bncr:{Hex}:0", "qq:0:888888", null },
        { $"agent:main:bncr:{Hex}:0", "qq:0:888888", null },
        { Hex, "qq:0:888888", null },
        { "qq:0:888888", "qq:0:888888", null },
        { $"bncr:{Hex}", "qq:0:888888", null },
        { $"bncr:g-{Hex}", "qq:0:888888", null },
        { "bncr:qq:g1:888888", "qq:g1:888888", null },
        { "bncr:g-qq:g1:888888", "qq:g1:888888", null },
        { "bncr:qq:888888", "qq:0:888888", null },
        { $"BNCR:{Hex}", "qq:0:888888", null },
        { $"agent:main:bncr:direct:{Hex.ToUpperInvariant()}", "qq:0:888888", null },
        { $"  agent:main:bncr:direct:{Hex}  ", "qq:0:888888", null },
        { $"agent:main:bncr:direct:{Hex}:task:Build-1", "qq:0:888888", "build-1" },
        { "Bncr:qq:888888:task:x", "qq:0:888888", "x" },
        { $"{Hex}:task:a_b", "qq:0:888888", "a_b" },
        { "Bncr:matrix:0:@me:server.org", "matrix:0:@me:server.org", null },
        { "Bncr:g-force:0:u", "g-force:0:u", null },
        { "Bncr:agent:g:u", "agent:g:u", null },
    };

    public static TheoryData<string> Nonsense =>
    [
        "", "   ", ":", "::", ":::", "a", "a:b", "a::b", ":a:b", "a:b:", "Bncr:", "Bncr:a", "Bncr:a:", "Bncr::b", "bncr:", "bncr:g-", "bncr:g-a:b",
        "agent:main:main", "agent::bncr:direct:" + Hex, "agent:a b:bncr:direct:" + Hex, "agent:../x:bncr:direct:" + Hex, "agent:main:bncr:direct:", "agent:main:bncr:direct:zz",
        "agent:main:bncr:direct:a:b", "agent:main:bncr:elsewhere:" + Hex, $"agent:main:bncr:{Hex}", $"agent:main:bncr:{Hex}:1", "deadbeef", "71713a303a38383838383",
        "agent:main:bncr:direct:c3283a303a61", // not UTF-8
        "agent:main:bncr", "Bncr:agent:main:bncr", "agent:main:bncr:direct:agent:main:bncr", $"Bncr:bncr:{Hex}:0", $"qq:g\u0000:x",
        "agent:g:u", "agent:main:other:x",
    ];

    [Theory]
    [MemberData(nameof(Forms))]
    public void TryParse_EveryForm_GivesRouteAndTask(string input, string scope, string? task)
    {
        Assert.True(Target.TryParse(input, out var target));
        Assert.Equal(scope, target.Route.Scope);
        Assert.Equal(task, target.TaskKey);
    }

    [Theory]
    [MemberData(nameof(Nonsense))]
    public void TryParse_Nonsense_IsRefused(string input) => Assert.False(Target.TryParse(input, out _));

    [Fact]
    public void TryParse_NoiseInHex_IsRefused()
    {
        Assert.False(Target.TryParse(Convert.ToHexStringLower("agent:main:bncr"u8), out _));
        Assert.False(Target.TryParse("agent:main:bncr:direct:" + Convert.ToHexStringLower(Encoding.UTF8.GetBytes($"bncr:{Hex}:0")), out _));
        Assert.False(Target.TryParse("agent:main:bncr:direct:" + Convert.ToHexStringLower("Agent:MAIN:bncr"u8), out _));
    }

    [Fact]
    public void TryParse_LoneSurrogate_IsRefused()
    {
        Assert.False(Target.TryParse("\ud800:0:x", out _));
        Assert.False(Target.TryParse("a:0:x\udc00", out _));
        Assert.False(Target.TryParse("Bncr:a:x\ud800y", out _));
    }

    [Fact]
    public void TryParse_TooLong_IsRefused() => Assert.False(Target.TryParse("Bncr:qq:" + new string('1', Target.MaxLength), out _));

    [Fact]
    public void ToString_OfAKey_IsCanonical()
    {
        Assert.Equal($"agent:main:bncr:direct:{Hex}", new SessionKey("main", Direct).ToString());
        Assert.Equal($"agent:main:bncr:direct:{Hex}:task:t", new SessionKey("main", Direct, "t").ToString());
        Assert.Equal("Bncr:qq:888888", Direct.Display);
        Assert.Equal("Bncr:qq:g1:888888", Group.Display);
        Assert.Equal("qq:g1", Group.Conversation);
        Assert.Equal("qq:0:888888", Direct.Conversation);
    }

    /// <summary>Every route comes back from its key, its hex, its scope and its display form, whatever its characters.</summary>
    [Fact]
    public void RoundTrip_AnyRoute_ComesBackFromEveryForm() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000).WithReplay(20_260_101, 7), Prop.ForAll(Routes().ToArbitrary(), route =>
        {
            if (route.IsNoise) return;
            var task = route.UserId.Length % 3 == 0 ? "k" + (route.UserId.Length % 10) : null;
            var key = new SessionKey("main", route, task).ToString();
            Assert.True(Target.TryParse(key, out var fromKey), key);
            Assert.Equal((route, task), (fromKey.Route, fromKey.TaskKey));
            Assert.Equal(key, new SessionKey(fromKey.AgentId!, fromKey.Route, fromKey.TaskKey).ToString());
            Assert.True(Target.TryParse(route.Hex, out var fromHex));
            Assert.Equal(route, fromHex.Route);
            Assert.True(BncrRoute.TryParseScope(route.Scope, out var fromScope));
            Assert.Equal(route, fromScope);
            if (route.Display.Contains(":task:", StringComparison.OrdinalIgnoreCase)) return;
            Assert.True(Target.TryParse(route.Display, out var fromDisplay), route.Display);
            Assert.Equal(route, fromDisplay.Route);
        }));

    /// <summary>Two routes never share a key.</summary>
    [Fact]
    public void Keys_OfDifferentRoutes_Differ() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(2000).WithReplay(20_260_101, 9), Prop.ForAll(Routes().ToArbitrary(), Routes().ToArbitrary(), (left, right) =>
            left == right == (new SessionKey("main", left).ToString() == new SessionKey("main", right).ToString())));

    /// <summary>Whatever is read is a route that may be stored: never noise, never with parts that read differently.</summary>
    [Fact]
    public void TryParse_AnyText_GivesASoundRouteOrNothing()
    {
        var pieces = Gen.Elements("agent:", "main", "bncr", "Bncr", ":", "::", "direct:", "group:", "g-", Hex, ":0", "0", "qq", " ", "\u0000",
            "\ud800", "😀", ":task:", "x", "Bncr-", "é", "\\", "/..");
        var texts = from list in pieces.ListOf() select string.Concat(list);
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(5000).WithReplay(20_260_101, 11), Prop.ForAll(texts.ToArbitrary(), text =>
        {
            if (!Target.TryParse(text, out var target)) return;
            Assert.False(target.Route.IsNoise);
            Assert.True(Target.TryParse(new SessionKey("main", target.Route, target.TaskKey).ToString(), out var again), text);
            Assert.Equal((target.Route, target.TaskKey), (again.Route, again.TaskKey));
        }));
    }

    /// <summary>Teams' and Matrix' group ids have colons: they come back whole from every form, written as %3A where the form needs it.</summary>
    [Theory]
    [InlineData("teams", "19:meeting_x@thread.tacv2", "u1", "teams:19%3Ameeting_x@thread.tacv2:u1")]
    [InlineData("matrix", "!room:server.org", "@me:server.org", "matrix:!room%3Aserver.org:@me:server.org")]
    [InlineData("odd", "a%3Ab", "u", "odd:a%253Ab:u")]
    [InlineData("odd", "50%", "u", "odd:50%:u")]
    public void GroupWithColons_HasOneReading(string platform, string group, string user, string scope)
    {
        var route = BncrRoute.Create(platform, group, user, out _)!.Value;
        Assert.Equal(scope, route.Scope);
        Assert.True(BncrRoute.TryParseScope(scope, out var back));
        Assert.Equal(route, back);
        Assert.True(Target.TryParse("Bncr:" + scope, out var target));
        Assert.Equal(route, target.Route);
        Assert.Equal($"{platform}:{group}:{user}", route.Plain);
    }

    private static Gen<BncrRoute> Routes()
    {
        var character = Gen.Frequency(
            (8, Gen.Elements("a", "b", "7", "Q", "_", "-", ".", "@", "#", "0", "群", "é", "😀", " x", "task")),
            (1, Gen.Elements("g-", "bncr", "agent", "main", Hex, "0", "%", "*", "|", "/", "\\")));
        var part = from count in Gen.Choose(1, 6) from list in character.ListOf(count) select string.Concat(list).Trim();
        var user = from head in part from tail in Gen.Elements("", "", "", ":srv", ":a:b", ":0", ":task:x", "::") select head + tail;
        return from platform in part
               from groupId in Gen.OneOf(Gen.Constant("0"), part, user)
               from userId in user
               let route = BncrRoute.Create(platform, groupId, userId, out _)
               where route is not null
               select route.Value;
    }
}
