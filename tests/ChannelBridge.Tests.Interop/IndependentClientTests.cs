using System.Diagnostics;
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

    private static async Task RunAsync(params string[] arguments)
    {
        if (OpenClawInstallation.Missing is { } reason) Assert.Fail(reason);
        var script = Path.Combine(OpenClawInstallation.Repository, "tests", "ChannelBridge.Tests.Interop", "clients", "vscode-jsonrpc.mjs");
        var start = new ProcessStartInfo(OpenClawInstallation.Node, [script, "--modules", Path.Combine(OpenClawInstallation.Folder!, "node_modules"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        using var timeout = new CancellationTokenSource(HostProcess.Timeout);
        var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
        var errors = process.StandardError.ReadToEndAsync(timeout.Token);
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }

        Assert.True(process.ExitCode == 0, await output + await errors);
        Assert.EndsWith("all well", (await output).Trim(), StringComparison.Ordinal);
    }
}
