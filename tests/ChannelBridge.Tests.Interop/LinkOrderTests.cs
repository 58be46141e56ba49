using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>The plugin's end of the link.</summary>
public sealed class LinkOrderTests
{
    /// <summary>Guards <c>bncr.connect</c>: a push that the host sends behind the answer must not overtake it in the entry.</summary>
    [OpenClawFact]
    public Task Entry_AnswerAndPushInOneRead_AnswerArrivesFirst() =>
        NodeScript.RunAsync("link-order.mjs", TimeSpan.FromSeconds(60), OpenClawInstallation.Repository);
}
