using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ChannelBridge.Tests.Interop.Lab;

/// <summary>A proxy that the gateway trusts, and that says for whom it forwards: its clients come from elsewhere, and must be approved.</summary>
public sealed class ForwardingProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly int _target;
    private readonly Task _accepting;

    public ForwardingProxy(Uri target)
    {
        _target = target.Port;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Url => $"ws://{_listener.LocalEndpoint}";

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = RelayAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException)
        {
            // The end of the test.
        }
    }

    private async Task RelayAsync(TcpClient client)
    {
        using var target = new TcpClient();
        try
        {
            using (client)
            {
                await target.ConnectAsync(IPAddress.Loopback, _target, _stop.Token);
                var (from, to) = (client.GetStream(), target.GetStream());
                await SendHeadAsync(from, to);
                await Task.WhenAny(from.CopyToAsync(to, _stop.Token), to.CopyToAsync(from, _stop.Token));
            }
        }
        catch (Exception fault) when (fault is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Either side is gone, and with it the other.
        }
    }

    /// <summary>A WebSocket client sends nothing behind its request before it is answered.</summary>
    private async Task SendHeadAsync(NetworkStream from, NetworkStream to)
    {
        var head = new StringBuilder();
        var buffer = new byte[4096];
        while (!head.ToString().Contains("\r\n\r\n", StringComparison.Ordinal))
        {
            var read = await from.ReadAsync(buffer, _stop.Token);
            if (read == 0) throw new IOException("the client ended in its request");
            head.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }

        var text = head.ToString();
        var line = text.IndexOf("\r\n", StringComparison.Ordinal) + 2;
        await to.WriteAsync(Encoding.ASCII.GetBytes(text.Insert(line, "X-Forwarded-For: 203.0.113.7\r\n")), _stop.Token);
    }
}
