using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace ChannelBridge.Tests.Integration.Hosts;

/// <summary>A line between a host and its database that a test can make slow, deaf, or cut.</summary>
internal sealed class FaultyProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpClient, byte> _open = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly string _host;
    private readonly int _port;
    private readonly Task _accepting;

    public FaultyProxy(string host, int port)
    {
        (_host, _port) = (host, port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Each piece waits so long.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>True: what is sent goes nowhere, and nobody is told.</summary>
    public bool Swallow { get; set; }

    /// <summary>True: who connects is turned away.</summary>
    public bool Refuse { get; set; }

    /// <summary>Breaks every connection.</summary>
    public void Cut()
    {
        foreach (var client in _open.Keys)
        {
            // Its end may be closing it at this moment.
            if (client.Client is { } socket) socket.Close(0);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        Cut();
        await _accepting;
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                if (Refuse) client.Close();
                else _ = ServeAsync(client);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException)
        {
            // The end of the test.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient { NoDelay = true };
        using (client)
        {
            client.NoDelay = true;
            _open[client] = _open[server] = 0;
            try
            {
                await server.ConnectAsync(_host, _port, _stop.Token);
                await Task.WhenAny(PumpAsync(client, server), PumpAsync(server, client));
            }
            catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // The server is gone, or the test is over.
            }

            _open.TryRemove(client, out _);
            _open.TryRemove(server, out _);
        }
    }

    private async Task PumpAsync(TcpClient from, TcpClient to)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                var read = await from.GetStream().ReadAsync(buffer, _stop.Token);
                if (read == 0) return;
                if (Delay > TimeSpan.Zero) await Task.Delay(Delay, _stop.Token);
                // A connection that has lost something stays deaf: the stream behind the gap would be garbage.
                if (Swallow) await Task.Delay(Timeout.Infinite, _stop.Token);
                await to.GetStream().WriteAsync(buffer.AsMemory(0, read), _stop.Token);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // Cut.
        }
    }
}
