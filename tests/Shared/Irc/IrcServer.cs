using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace ChannelBridge.Tests.Irc;

/// <summary>A real IRC server: ngircd of Debian's packages.</summary>
internal sealed class IrcServer(Process process, int port) : IAsyncDisposable
{
    public int Port => port;

    public static async Task<IrcServer> StartAsync(int port = 0)
    {
        using var timeout = new CancellationTokenSource(Wait.Limit);
        while (true)
        {
            var at = port > 0 ? port : FreePort();
            var file = Path.Combine(Scratch.NewFolder("cbirc"), "ngircd.conf");
            await File.WriteAllTextAsync(
                file,
                $"[Global]\nName = irc.example.org\nInfo = tests\nListen = 127.0.0.1\nPorts = {at}\n"
                + (Environment.UserName == "root" ? "ServerUID = root\nServerGID = root\n" : "")
                + "[Limits]\nMaxConnectionsIP = 0\nMaxPenaltyTime = 0\n[Options]\nDNS = no\nIdent = no\nPAM = no\n",
                timeout.Token);
            var start = new ProcessStartInfo("/usr/sbin/ngircd", ["-n", "-f", file]) { RedirectStandardOutput = true, RedirectStandardError = true };
            var process = Process.Start(start)!;
            _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
            while (!process.HasExited)
            {
                try
                {
                    using var probe = new TcpClient();
                    await probe.ConnectAsync(IPAddress.Loopback, at, timeout.Token);
                    return new IrcServer(process, at);
                }
                catch (SocketException)
                {
                    await Task.Delay(50, timeout.Token);
                }
            }

            // The port was taken meanwhile.
            process.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
