using System.IO.Pipelines;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;

namespace ChannelBridge.Tests.Plugins;

/// <summary>Two pipes, as stdin and stdout of a process are.</summary>
internal sealed class PipePair
{
    private readonly Pipe _down;
    private readonly Pipe _up;

    public PipePair(int capacity = 64 * 1024)
    {
        var options = new PipeOptions(
            pauseWriterThreshold: capacity, resumeWriterThreshold: capacity / 2, useSynchronizationContext: false);
        _down = new Pipe(options);
        _up = new Pipe(options);
    }

    public Stream HostInput => _up.Reader.AsStream();

    public Stream HostOutput => _down.Writer.AsStream();

    public Stream PluginInput => _down.Reader.AsStream();

    public Stream PluginOutput => _up.Writer.AsStream();

    /// <summary>Host and plugin of this library around the pipes.</summary>
    public (PluginConnection Connection, IPluginProcess Plugin) Host(IPluginHost host, PluginLimits? limits = null) =>
        PluginConnection.ForHost(HostInput, HostOutput, host, limits ?? PluginLimits.Default, (_, _) => { });

    public (PluginConnection Connection, IPluginHost Host) Plugin(IPluginProcess plugin, PluginLimits? limits = null) =>
        PluginConnection.ForPlugin(PluginInput, PluginOutput, plugin, limits ?? PluginLimits.Default, (_, _) => { });
}

/// <summary>A plugin's end that is written by hand: what a process in another language sends, or a hostile one.</summary>
internal sealed class RawEnd(Stream input, Stream output)
{
    public Task SendAsync(string json) => SendAsync(Encoding.UTF8.GetBytes(json), "");

    public async Task SendAsync(byte[] body, string header)
    {
        await output.WriteAsync(Encoding.ASCII.GetBytes($"Content-Length: {body.Length}\r\n{header}\r\n"));
        await output.WriteAsync(body);
        await output.FlushAsync();
    }

    public Task SendFrameAsync(string header, byte[] bytes)
    {
        var json = Encoding.UTF8.GetBytes(header);
        byte[] length = [(byte)(json.Length >> 24), (byte)(json.Length >> 16), (byte)(json.Length >> 8), (byte)json.Length];
        return SendAsync([.. length, .. json, .. bytes], "Content-Type: application/octet-stream\r\n");
    }

    public async Task SendBytesAsync(byte[] bytes)
    {
        await output.WriteAsync(bytes);
        await output.FlushAsync();
    }

    public Task<byte[]> ReadBytesAsync() => ReadMessageAsync().WaitAsync(TimeSpan.FromMinutes(1));

    public async Task<JsonObject> ReadAsync() => JsonNode.Parse(await ReadBytesAsync())!.AsObject();

    private async Task<byte[]> ReadMessageAsync()
    {
        var length = -1;
        while (true)
        {
            var line = await ReadLineAsync();
            if (line.Length == 0) break;
            if (line.StartsWith("Content-Length:", StringComparison.Ordinal)) length = int.Parse(line["Content-Length:".Length..].Trim());
        }

        var body = new byte[length];
        await input.ReadExactlyAsync(body);
        return body;
    }

    private async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (true)
        {
            await input.ReadExactlyAsync(one);
            if (one[0] == '\n') return line.ToString().TrimEnd('\r');
            line.Append((char)one[0]);
        }
    }
}
