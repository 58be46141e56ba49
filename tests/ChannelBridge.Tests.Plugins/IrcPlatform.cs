using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Text;
using ChannelBridge.Plugins.Testing;
using ChannelBridge.Tests.Irc;

namespace ChannelBridge.Tests.Plugins;

/// <summary>
/// People on a real IRC server, each under the name of a conversation. IRC keeps nothing for who isn't there, so a person waits until the host has
/// what they said.
/// </summary>
internal sealed class IrcPlatform(IrcServer server, string bot) : IPlatform, IAsyncDisposable
{
    private const int Longest = 400;
    private readonly ConcurrentDictionary<string, Task<Person>> _people = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Lock _lock = new();
    private ImmutableList<PlatformMessage> _heard = [];
    private ChannelHost? _host;

    public string Channel => "cbirc";

    public string Account => "Main";

    public PlatformTraits Traits => PlatformTraits.None;

    public IReadOnlyList<PlatformMessage> Heard => _heard;

    public async Task AttachAsync(ChannelHost host, CancellationToken cancellationToken)
    {
        _host = host;
        while (Arrival.StatusOf(host) is not { Connected: true }) await Task.Delay(10, cancellationToken);
    }

    public async Task SayAsync(string conversation, string id, string text, CancellationToken cancellationToken)
    {
        var person = await _people.GetOrAdd(conversation, JoinAsync);
        // What a client of IRC makes of a text: one line, of what a line may have.
        var line = new string([.. text.Select(c => c is '\r' or '\n' or '\0' ? ' ' : c)]);
        // A server ends the connection of who sends more.
        while (Encoding.UTF8.GetByteCount(line) > Longest) line = line[..^1];
        await _turn.WaitAsync(cancellationToken);
        try
        {
            Task Say() => person.User.SayAsync($"PRIVMSG {bot} :{line}");
            // What begins with \u0001 is between clients, and never reaches the agent.
            if (line[0] == '\u0001') await Say();
            else await Arrival.OfAsync(_host!, Say, cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    public void RefuseNext(bool forGood) => throw new NotSupportedException("IRC takes everything");

    public void Block(bool blocked) => throw new NotSupportedException("IRC takes everything");

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var person in _people.Values)
        {
            var known = await person;
            await known.Reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await known.User.DisposeAsync();
        }

        _stop.Dispose();
        _turn.Dispose();
    }

    private async Task<Person> JoinAsync(string nick)
    {
        var user = await IrcUser.ConnectAsync(server, nick);
        return new Person(user, Task.Run(() => ListenAsync(user, nick)));
    }

    // An answer that is longer than a line comes as several; the last one of a turn is what is looked for.
    private async Task ListenAsync(IrcUser user, string nick)
    {
        var mark = $" PRIVMSG {nick} :";
        while (true)
        {
            var line = await user.UntilAsync(one => one.Contains(mark, StringComparison.Ordinal)).WaitAsync(_stop.Token);
            lock (_lock) _heard = _heard.Add(new PlatformMessage(line[(line.IndexOf(mark, StringComparison.Ordinal) + mark.Length)..], _heard.Count));
        }
    }

    private sealed record Person(IrcUser User, Task Reading);
}
