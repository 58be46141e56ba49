using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>The plugin's end of the link.</summary>
public sealed class LinkOrderTests
{
    /// <summary>Guards <c>bncr.connect</c>: a push that the host sends behind the answer must not overtake it in the entry.</summary>
    [OpenClawFact]
    public Task Entry_AnswerAndPushInOneRead_AnswerArrivesFirst() =>
        NodeScript.RunAsync("link-order.mjs", TimeSpan.FromSeconds(60), OpenClawInstallation.Repository);

    /// <summary>Guards the order of an account's messages over an absence of the host.</summary>
    [OpenClawFact]
    public Task Entry_MessagesKeptWhileTheHostWasAway_AreNotOvertaken() => NodeScript.RunAsync("kept-order.mjs", TimeSpan.FromSeconds(60));

    /// <summary>A new plugin and one from before binary messages: each brings a file as it can, and it is the same file.</summary>
    [OpenClawFact]
    public Task Entry_BringsAFileOverTheSocket_AsBytesOrInBase64() => BringAsync(host => host.Socket);

    [OpenClawFact]
    public Task Entry_BringsAFileOverAWebSocket_AsBytesOrInBase64() => BringAsync(host => $"{host.WebSocketUrl}rpc");

    private static async Task BringAsync(Func<HostProcess, string> endpoint)
    {
        await using var host = await HostProcess.StartAsync(environment: new Dictionary<string, string> { ["CHANNELBRIDGE__Channels__Bncr__AllowUnknownTargets"] = "true" });
        await NodeScript.RunAsync("link-binary.mjs", TimeSpan.FromSeconds(240), OpenClawInstallation.Repository, endpoint(host), host.Token,
            Path.Combine(host.Data, "spool", "files"));
    }
}
