using System.Collections.Concurrent;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;

namespace IrcSample;

/// <summary>One connection to a server, registered and in its rooms.</summary>
internal sealed class IrcConnection : IAsyncDisposable
{
    private const int MaxLine = 8192;
    // What servers take at once without cutting off, and what they take in the long run.
    private const int Burst = 5;
    private static readonly TimeSpan PerLine = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Silence = TimeSpan.FromMinutes(2);
    private readonly TcpClient _client;
    private readonly Stream _stream;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _line = new(1, 1);
    private readonly SemaphoreSlim _saying = new(1, 1);
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _pings = new(StringComparer.Ordinal);
    private readonly byte[] _buffer = new byte[MaxLine];
    private int _from;
    private int _to;
    private string? _refusal;
    private string _target = "";
    private long _free;

    private IrcConnection(TcpClient client, Stream stream, string nick, TimeProvider time)
    {
        _client = client;
        _stream = stream;
        _time = time;
        Nick = nick;
    }

    /// <summary>The nick that it has.</summary>
    public string Nick { get; private set; }

    /// <summary>Connects, registers and joins the rooms.</summary>
    /// <exception cref="IOException">The server refuses, or goes.</exception>
    public static async Task<IrcConnection> OpenAsync(IrcSettings settings, TimeProvider time, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Patience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        var client = new TcpClient();
        Stream? stream = null;
        try
        {
            await client.ConnectAsync(settings.Server, settings.Port ?? (settings.Tls ? 6697 : 6667), both.Token);
            stream = client.GetStream();
            if (settings.Tls)
            {
                var encrypted = new SslStream(stream);
                stream = encrypted;
                await encrypted.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = settings.Server }, both.Token);
            }

            var connection = new IrcConnection(client, stream, settings.Nick, time);
            await connection.RegisterAsync(settings, both.Token);
            return connection;
        }
        catch
        {
            if (stream is not null) await stream.DisposeAsync();
            client.Dispose();
            throw;
        }
    }

    /// <summary>The lines of the server as they come; it ends when the server goes, by an exception.</summary>
    public async IAsyncEnumerable<IrcLine> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            var line = await NextAsync(cancellationToken);
            switch (line.Command)
            {
                case "PONG" when _pings.TryRemove(line[line.Arguments.Count - 1], out var waiting):
                    waiting.TrySetResult();
                    break;
                // Nobody of that nick, no such room, not allowed to speak: what was said last arrived nowhere.
                case "401" or "402" or "403" or "404" when string.Equals(line[1], Volatile.Read(ref _target), StringComparison.OrdinalIgnoreCase):
                    Volatile.Write(ref _refusal, IrcLine.Plain(line[line.Arguments.Count - 1]));
                    break;
                case "NICK" when string.Equals(line.Sender, Nick, StringComparison.OrdinalIgnoreCase):
                    Nick = line[0];
                    break;
                default:
                    yield return line;
                    break;
            }
        }
    }

    /// <summary>Says lines, and waits until the server has taken them. Null, or why it refused.</summary>
    public async Task<string?> SayAsync(string target, IReadOnlyList<string> lines, Guid id, CancellationToken cancellationToken)
    {
        await _saying.WaitAsync(cancellationToken);
        try
        {
            Volatile.Write(ref _refusal, null);
            Volatile.Write(ref _target, target);
            foreach (var line in lines)
            {
                await SlowDownAsync(cancellationToken);
                await SendAsync($"PRIVMSG {target} :{line}", cancellationToken);
            }

            var mark = $"cb{id:N}";
            var taken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _pings[mark] = taken;
            await SendAsync($"PING {mark}", cancellationToken);
            await taken.Task.WaitAsync(cancellationToken);
            return Volatile.Read(ref _refusal);
        }
        finally
        {
            _saying.Release();
        }
    }

    /// <summary>Takes leave.</summary>
    public async Task QuitAsync()
    {
        try
        {
            await SendAsync("QUIT :bye", CancellationToken.None);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException)
        {
            // It is gone.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _client.Dispose();
        foreach (var waiting in _pings.Values) waiting.TrySetException(new IOException("the connection to the server is gone"));
    }

    private async Task RegisterAsync(IrcSettings settings, CancellationToken cancellationToken)
    {
        if (settings.Password is { } password) await SendAsync($"PASS {IrcLine.Plain(password)}", cancellationToken);
        await SendAsync($"NICK {Nick}", cancellationToken);
        await SendAsync($"USER {settings.Nick} 0 * :ChannelBridge", cancellationToken);
        while (true)
        {
            var line = await NextAsync(cancellationToken);
            switch (line.Command)
            {
                case "001":
                    Nick = line[0];
                    foreach (var room in settings.Rooms) await SendAsync($"JOIN {room}", cancellationToken);
                    return;
                case "433" when Nick.Length < settings.Nick.Length + 3:
                    Nick += "_";
                    await SendAsync($"NICK {Nick}", cancellationToken);
                    break;
                case "432" or "433" or "464" or "465" or "ERROR":
                    throw new IOException($"the server refuses: {IrcLine.Plain(line[line.Arguments.Count - 1])}");
            }
        }
    }

    // The next line that isn't a PING. A silent server is asked whether it is there; one that stays silent is gone.
    private async Task<IrcLine> NextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var text = await ReadLineAsync(cancellationToken);
            if (IrcLine.Parse(text) is not { } line) continue;
            if (line.Command != "PING") return line;
            await SendAsync($"PONG :{IrcLine.Plain(line[0])}", cancellationToken);
        }
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var end = Array.IndexOf(_buffer, (byte)'\n', _from, _to - _from);
            if (end >= 0)
            {
                var line = Encoding.UTF8.GetString(_buffer, _from, end - _from);
                _from = end + 1;
                return line;
            }

            Buffer.BlockCopy(_buffer, _from, _buffer, 0, _to - _from);
            (_from, _to) = (0, _to - _from);
            if (_to == _buffer.Length) throw new IOException("the server sends a line without end");
            var read = await ReadSomeAsync(cancellationToken);
            if (read == 0) throw new IOException("the server has closed the connection");
            _to += read;
        }
    }

    private async Task<int> ReadSomeAsync(CancellationToken cancellationToken)
    {
        var reading = _stream.ReadAsync(_buffer.AsMemory(_to), cancellationToken).AsTask();
        for (var asked = false; ; asked = true)
        {
            try
            {
                return await reading.WaitAsync(Silence, _time, cancellationToken);
            }
            catch (TimeoutException) when (!asked)
            {
                await SendAsync("PING channelbridge", cancellationToken);
            }
            catch (TimeoutException fault)
            {
                throw new IOException("the server doesn't answer", fault);
            }
        }
    }

    private async Task SlowDownAsync(CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow().UtcTicks;
        _free = Math.Max(_free, now - (Burst * PerLine.Ticks)) + PerLine.Ticks;
        if (_free > now) await Task.Delay(TimeSpan.FromTicks(_free - now), _time, cancellationToken);
    }

    private async Task SendAsync(string line, CancellationToken cancellationToken)
    {
        var bytes = Encoding.UTF8.GetBytes(line + "\r\n");
        await _line.WaitAsync(cancellationToken);
        try
        {
            // Half a line would be part of the next one: once begun, it is written to its end.
            await _stream.WriteAsync(bytes, CancellationToken.None);
            await _stream.FlushAsync(CancellationToken.None);
        }
        finally
        {
            _line.Release();
        }
    }
}
