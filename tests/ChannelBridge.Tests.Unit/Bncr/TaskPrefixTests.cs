using ChannelBridge.Channels.Bncr.Routing;

namespace ChannelBridge.Tests.Unit.Bncr;

public sealed class TaskPrefixTests
{
    [Theory]
    [InlineData("#task:foo", "foo", "")]
    [InlineData("#task:foo do it", "foo", "do it")]
    [InlineData("#task:Foo-1_x\ndo it", "foo-1_x", "do it")]
    [InlineData("  #TASK = foo  do it", "foo", "do it")]
    [InlineData("/task:foo do it", "foo", "do it")]
    [InlineData("/task=foo do it", "foo", "do it")]
    [InlineData("/task foo do it", "foo", "do it")]
    [InlineData("/task foo\nline one\nline two", "foo", "line one\nline two")]
    [InlineData("#task:foo.bar", "foo", ".bar")]
    [InlineData("plain", null, "plain")]
    [InlineData("", null, "")]
    [InlineData("#task", null, "#task")]
    [InlineData("#task foo do it", null, "#task foo do it")]
    [InlineData("#tasks:foo", null, "#tasks:foo")]
    [InlineData("/task", null, "/task")]
    [InlineData("/task foo", null, "/task foo")]
    [InlineData("/task foo.bar do", null, "/task foo.bar do")]
    [InlineData("/taskfoo do", null, "/taskfoo do")]
    [InlineData("#task:", null, "#task:")]
    [InlineData("#task:ü", null, "#task:ü")]
    [InlineData("say #task:foo", null, "say #task:foo")]
    [InlineData("#task:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa x", null, "#task:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa x")]
    public void Split_Text_GivesTaskAndRest(string text, string? task, string rest) => Assert.Equal((task, rest), TaskPrefix.Split(text));

    [Theory]
    [InlineData("/help", true, "/commands")]
    [InlineData(" /HELP me", true, "/commands me")]
    [InlineData("/status", true, "/status")]
    [InlineData("/model gpt", true, "/model gpt")]
    [InlineData("/think:high now", true, "/think:high now")]
    [InlineData("/helper", true, "/helper")]
    [InlineData("/etc/passwd", false, "/etc/passwd")]
    [InlineData("/", false, "/")]
    [InlineData("/ x", false, "/ x")]
    [InlineData("/1", false, "/1")]
    [InlineData("say /help", false, "say /help")]
    public void IsCommand_Text_TellsCommandsFromText(string text, bool expected, string rewritten)
    {
        Assert.Equal(expected, Commands.IsCommand(ref text));
        Assert.Equal(rewritten, text);
    }
}
