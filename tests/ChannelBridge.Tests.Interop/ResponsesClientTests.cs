using System.Diagnostics;
using System.Text.Json;
using ChannelBridge.Tests.Integration;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>
/// The newest clients of Open Responses, unchanged and in their default configuration, against a host whose agent is a chat-completions server: text, stream, a round
/// trip of two parallel calls, image, JSON schema, error, cancel. Everything is on loopback.
/// </summary>
public sealed class ResponsesClientTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5);

    private string? _scripts;
    private Process? _provider;
    private string _address = "";
    private HostProcess? _host;

    public async Task InitializeAsync()
    {
        if (ResponsesClients.Missing is not null && !OpenClawInstallation.InCi) return;
        _scripts = ResponsesClients.CopyScripts();
        _provider = ResponsesClients.Start(Path.Combine(_scripts, "provider.mjs"));
        _address = await _provider.StandardOutput.ReadLineAsync().WaitAsync(HostProcess.Timeout) ?? throw new InvalidOperationException("the provider didn't start");
        var data = HostProcess.NewDataFolder();
        await File.WriteAllTextAsync(
            Path.Combine(data, "appsettings.json"),
            JsonSerializer.Serialize(new
            {
                Agents = new { Default = "model", model = new { Kind = "chat-completions", Url = _address + "/v1", Model = "m", Retries = 0, BreakerFailures = 1000 } },
                Responses = new { CancelOnDisconnect = true },
            }));
        _host = await HostProcess.StartAsync(data);
    }

    public async Task DisposeAsync()
    {
        if (_host is not null) await _host.DisposeAsync();
        if (_provider is not null)
        {
            if (!_provider.HasExited) _provider.Kill();
            _provider.Dispose();
        }

        if (_scripts is not null) Directory.Delete(_scripts, recursive: true);
    }

    [ResponsesClientsFact]
    [InlineData("openai")]
    [InlineData("agents")]
    [InlineData("ai")]
    [InlineData("langchain")]
    [InlineData("openrouter")]
    [InlineData("codex")]
    public async Task NpmClient_WorksUnchanged(string client)
    {
        using var process = ResponsesClients.Start(Path.Combine(_scripts!, client + ".mjs"), new Uri(_host!.Url, "/v1").AbsoluteUri, _host.Token, _address);
        using var timeout = new CancellationTokenSource(Limit);
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
