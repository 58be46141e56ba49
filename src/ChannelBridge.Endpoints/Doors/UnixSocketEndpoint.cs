using System.Net.Sockets;
using System.Text;
using ChannelBridge.Endpoints.Connections;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Doors;

/// <summary>The Unix socket: mode 0600, so that the file system decides who comes in.</summary>
internal sealed partial class UnixSocketEndpoint(EndpointRuntime runtime, string path) : LocalEndpoint(runtime)
{
    private const int Backlog = 512;

    private readonly ILogger _logger = runtime.Logger;
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;

    /// <summary>The longest path that the system takes, in bytes: <c>sockaddr_un.sun_path</c> without its last zero.</summary>
    public static int MaxPathBytes => OperatingSystem.IsMacOS() || OperatingSystem.IsFreeBSD() ? 103 : 107;

    public override string Description => $"unix:{path}";

    public override async Task OpenAsync()
    {
        var length = Encoding.UTF8.GetByteCount(path);
        if (length > MaxPathBytes)
        {
            throw new IOException(
                $"the path of the Unix socket has {length} bytes, and the system takes {MaxPathBytes} at most: {path}\nchoose a shorter one, "
                    + "e.g. --socket /tmp/channelbridge.sock");
        }

        await RemoveStaleAsync().ConfigureAwait(false);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint(path));
            // Before Listen, so that nobody comes in while the mode is what the umask made of it.
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            listener.Listen(Backlog);
        }
        catch (Exception fault) when (fault is SocketException or UnauthorizedAccessException)
        {
            listener.Dispose();
            throw new IOException($"the Unix socket {path} can't be opened: {fault.Message}", fault);
        }

        _listener = listener;
        _accepting = AcceptAsync(listener);
    }

    public override async ValueTask DisposeAsync()
    {
        if (_listener is not { } listener) return;
        _listener = null;
        // Disposing of a bound socket removes its file.
        listener.Dispose();
        await _accepting.ConfigureAwait(false);
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            try
            {
                var client = await listener.AcceptAsync().ConfigureAwait(false);
                _ = ServeClientAsync(client);
            }
            catch (Exception fault) when (
                fault is ObjectDisposedException or SocketException { SocketErrorCode: SocketError.OperationAborted or SocketError.Interrupted or SocketError.InvalidArgument })
            {
                return;
            }
            catch (SocketException fault)
            {
                // Out of file descriptors, most likely: later there are some again.
                LogAcceptFailed(fault, path);
                await Task.Delay(TimeSpan.FromMilliseconds(100)).ConfigureAwait(false);
            }
        }
    }

    private async Task ServeClientAsync(Socket client)
    {
        try
        {
            var stream = new NetworkStream(client, ownsSocket: true);
            await using (stream.ConfigureAwait(false))
            {
                await ServeAsync(stream, stream, () => EndOutput(client)).ConfigureAwait(false);
            }
        }
        catch (Exception fault)
        {
            LogServeFailed(fault, path);
        }
    }

    private static void EndOutput(Socket client)
    {
        try
        {
            client.Shutdown(SocketShutdown.Send);
        }
        catch (Exception fault) when (fault is SocketException or ObjectDisposedException)
        {
            // The peer was quicker.
        }
    }

    // A socket can't be opened as a file.
    private bool IsOrdinaryFile()
    {
        try
        {
            using var file = File.OpenRead(path);
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    // What is left of a host that was killed. A file that isn't a socket, or one that somebody answers on, is never removed.
    private async Task RemoveStaleAsync()
    {
        if (!File.Exists(path)) return;
        if (IsOrdinaryFile())
            throw new IOException($"{path} is a file, not a Unix socket; move it away or choose another path with --socket PATH");

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await probe.ConnectAsync(new UnixDomainSocketEndPoint(path)).ConfigureAwait(false);
        }
        catch (SocketException fault) when (fault.SocketErrorCode == SocketError.ConnectionRefused)
        {
            LogStaleRemoved(path);
            File.Delete(path);
            return;
        }
        catch (SocketException fault)
        {
            throw new IOException($"the Unix socket {path} is there already and can't be tried: {fault.Message}", fault);
        }

        throw new IOException($"another process answers on the Unix socket {path}; stop it, or choose another path with --socket PATH");
    }

    [LoggerMessage(EventId = LogEvents.UnixSocketEndpointStaleRemoved, Level = LogLevel.Information, Message = "Removed the Unix socket {Path} of a host that is gone")]
    private partial void LogStaleRemoved(string path);

    [LoggerMessage(EventId = LogEvents.UnixSocketEndpointAcceptFailed, Level = LogLevel.Warning, Message = "Accepting on the Unix socket {Path} failed")]
    private partial void LogAcceptFailed(Exception fault, string path);

    [LoggerMessage(EventId = LogEvents.UnixSocketEndpointServeFailed, Level = LogLevel.Error, Message = "Serving a client of the Unix socket {Path} failed")]
    private partial void LogServeFailed(Exception fault, string path);
}
