using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Tools;

namespace ChannelBridge.Core.Hosting;

/// <inheritdoc cref="IRegistry"/>
internal sealed class Registry : IRegistry
{
    private readonly Lock _gate = new();
    private readonly List<Action<RegistrySnapshot>> _listeners = [];
    private readonly List<Action<RegistrySnapshot>> _checks = [];
    private volatile RegistrySnapshot _current = new(0, []);

    /// <summary>An empty registry.</summary>
    public Registry()
    {
    }

    /// <summary>A registry with contributors from the start.</summary>
    public Registry(params IReadOnlyCollection<IContributor> contributors) => Add(contributors);

    public RegistrySnapshot Current => _current;

    public IDisposable Add(IReadOnlyCollection<IContributor> contributors)
    {
        ArgumentNullException.ThrowIfNull(contributors);
        lock (_gate)
        {
            // An object that is known already stays where it is: it may be registered under several of its kinds.
            var fresh = contributors.Distinct(ReferenceEqualityComparer.Instance).Cast<IContributor>().Except(_current.All).ToArray();
            Set([.. _current.All, .. fresh]);
            return new Handle(() => Remove(fresh));
        }
    }

    /// <summary>Asks somebody whether a change can be, before it is; who can't have it throws what stands in the way.</summary>
    public IDisposable AddCheck(Action<RegistrySnapshot> check)
    {
        ArgumentNullException.ThrowIfNull(check);
        lock (_gate) _checks.Add(check);
        return new Handle(() =>
        {
            lock (_gate) _checks.Remove(check);
        });
    }

    public IDisposable OnChange(Action<RegistrySnapshot> changed)
    {
        ArgumentNullException.ThrowIfNull(changed);
        lock (_gate) _listeners.Add(changed);
        return new Handle(() =>
        {
            lock (_gate) _listeners.Remove(changed);
        });
    }

    private void Remove(IContributor[] gone)
    {
        lock (_gate) Set([.. _current.All.Except(gone)]);
    }

    private void Set(IContributor[] all)
    {
        var next = new RegistrySnapshot(_current.Version + 1, all);
        Check(next.Of<IChannel>(), channel => channel.Id, "channels have the id");
        Check(next.Of<IMethodSource>().SelectMany(source => source.Methods), method => method.Name, "sources contribute a method named");
        Check(next.Of<IToolSource>().SelectMany(source => source.Tools), tool => tool.Name, "sources contribute a tool named");
        Check(next.Of<IBinaryReceiver>(), receiver => receiver.Channel, "receivers take the binary messages of channel");
        foreach (var check in _checks) check(next);
        _current = next;
        foreach (var listener in _listeners.ToArray()) listener(next);
    }

    private static void Check<T>(IEnumerable<T> items, Func<T, string> nameOf, string what)
    {
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var item in items)
        {
            if (!seen.Add(nameOf(item))) throw new InvalidOperationException($"Two {what} '{nameOf(item)}'; it must be unique in the host.");
        }
    }

    private sealed class Handle(Action dispose) : IDisposable
    {
        private Action? _dispose = dispose;

        public void Dispose() => Interlocked.Exchange(ref _dispose, null)?.Invoke();
    }
}
