using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChannelBridge.Tests.Irc;

/// <summary>A person on IRC.</summary>
internal sealed class IrcUser(TcpClient client, StreamReader reader, StreamWriter writer) : IAsyncDisposable
{
    public static async Task<IrcUser> ConnectAsync(IrcServer server, string nick)
    {
        using var timeout = new CancellationTokenSource(Wait.Limit);
        var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, server.Port, timeout.Token);
        var stream = client.GetStream();
        var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        var user = new IrcUser(client, new StreamReader(stream, utf8), new StreamWriter(stream, utf8) { NewLine = "\r\n" });
        await user.SayAsync($"NICK {nick}");
        await user.SayAsync($"USER {nick} 0 * :test");
        await user.UntilAsync(line => line.Contains($" 001 {nick} ", StringComparison.Ordinal));
        return user;
    }

    public async Task SayAsync(string line)
    {
        await writer.WriteLineAsync(line);
        await writer.FlushAsync();
    }

    public Task<string> HearsAsync(string end) => UntilAsync(line => line.EndsWith(end, StringComparison.Ordinal));

    public async Task<string> UntilAsync(Func<string, bool> isIt)
    {
        using var timeout = new CancellationTokenSource(Wait.Limit);
        while (await reader.ReadLineAsync(timeout.Token) is { } line)
        {
            if (line.StartsWith("PING", StringComparison.Ordinal)) await SayAsync("PONG" + line[4..]);
            else if (isIt(line)) return line;
        }

        throw new InvalidOperationException("the server has closed the connection");
    }

    public async Task UntilThereAsync(string nick)
    {
        using var timeout = new CancellationTokenSource(Wait.Limit);
        while (true)
        {
            await SayAsync($"ISON {nick}");
            var line = await UntilAsync(one => one.Contains(" 303 ", StringComparison.Ordinal));
            if (line.Contains(nick, StringComparison.Ordinal)) return;
            await Task.Delay(50, timeout.Token);
        }
    }

    public ValueTask DisposeAsync()
    {
        reader.Dispose();
        client.Dispose();
        return ValueTask.CompletedTask;
    }
}
