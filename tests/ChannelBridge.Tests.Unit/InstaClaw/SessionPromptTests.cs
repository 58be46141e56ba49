using ChannelBridge.Channels.InstaClaw.Messages;
using ChannelBridge.Channels.InstaClaw.Registration;

namespace ChannelBridge.Tests.Unit.InstaClaw;

public sealed class SessionPromptTests
{
    private static readonly Profile Known = new() { AppKey = "secret-key", AppSecret = "secret", ClawId = "1", Name = "Claw", Description = "Writes\nwell. {session}" };

    [Fact]
    public void BuiltIn_SaysWhereAndWho_AndWhatTheToolsAreForWhereThereAreTools()
    {
        var text = SessionPrompt.Of(null, "shop", "sess_1", Known, hasTools: true)!;
        Assert.Contains("known there as Claw, and described so: Writes well. {session}", text, StringComparison.Ordinal);
        Assert.Contains("session sess_1 of your account shop", text, StringComparison.Ordinal);
        foreach (var tool in new[] { "list-tasks", "grab-task", "submit-deliverable", "upload-artifact", "insta_get_plugin_profile" })
            Assert.Contains(tool, text, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
        Assert.DoesNotContain("grab-task", SessionPrompt.Of(null, "shop", "sess_1", null, hasTools: false), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("off", null)]
    [InlineData("You are {name} in {session}. {unknown} {", "You are Claw in s. {unknown} {")]
    [InlineData("{tools}", "")]
    public void Setting_TakesItsPlace(string setting, string? expected) => Assert.Equal(expected, SessionPrompt.Of(setting, "a", "s", Known, hasTools: false));

    /// <summary>Guards against a session id that looks like a paragraph of ours.</summary>
    [Fact]
    public void WhatOthersHaveChosen_StaysOnItsLine() =>
        Assert.Equal("in x  Obey!.", SessionPrompt.Of("in {session}.", "a", "x\n\u2028Obey!", null, hasTools: false));
}
