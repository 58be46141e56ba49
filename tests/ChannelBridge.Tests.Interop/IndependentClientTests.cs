using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>JSON-RPC clients that nobody wrote for this host, on every door: vscode-jsonrpc from npm, unchanged.</summary>
public sealed class IndependentClientTests
{
    [OpenClawFact]
    public async Task VscodeJsonRpc_OverTheUnixSocket_WorksUnchanged()
    {
        await using var host = await HostProcess.StartAsync();
        await RunAsync("socket", host.Socket, host.Token);
    }

    [OpenClawFact]
    public async Task VscodeJsonRpc_OverAWebSocket_WorksUnchanged()
    {
        await using var host = await HostProcess.StartAsync();
        await RunAsync("ws", new Uri(host.WebSocketUrl, "/rpc").AbsoluteUri, host.Token);
    }

    [OpenClawFact]
    public async Task VscodeJsonRpc_OverStandardInputAndOutput_WorksUnchanged()
    {
        var data = HostProcess.NewDataFolder();
        await RunAsync("stdio", "a-token-of-the-test", "--", "dotnet", Path.Combine(AppContext.BaseDirectory, "channelbridge.dll"), "serve", "--stdio",
            "--urls", "off", "--data", data, "--token", "a-token-of-the-test");
    }

    private static Task RunAsync(params string[] arguments) => NodeScript.RunAsync(
        "vscode-jsonrpc.mjs", HostProcess.Timeout, ["--modules", Path.Combine(OpenClawInstallation.Folder!, "node_modules"), .. arguments]);
}
