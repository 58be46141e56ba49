using System.Text.Json;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Messaging;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>One account: its connection, its calls, what it asks over HTTP, its pushes.</summary>
internal sealed partial class JujiAccount(
    string id,
    JujiOptions options,
    CommunityApi api,
    CallTable calls,
    PushDesk desk,
    CommunityLink link,
    IOutbox outbox,
    IHostClaims claims,
    TimeProvider time,
    ILogger<JujiAccount> logger) : IDisposable
{
    private readonly CancellationTokenSource _pushing = new();
    private readonly Dictionary<string, (JsonElement Value, long At)> _kept = [];
    private readonly Lock _lock = new();
    private MemberPushes? _members;

    /// <summary>Its id in its display case.</summary>
    public string Id => id;

    /// <summary>Its connection.</summary>
    public CommunityLink Link => link;

    /// <summary>Its calls.</summary>
    public CallTable Calls => calls;

    /// <summary>Its pushes.</summary>
    public PushDesk Desk => desk;

    /// <summary>The community over HTTP.</summary>
    public CommunityApi Api => api;

    /// <summary>When a message to another member last went out (Unix ms), or 0.</summary>
    public long LastOutboundAt => _members?.LastAt ?? 0;

    /// <summary>Lives until it is told to stop; what has been heard by then is still taken, until <paramref name="giveUp"/>.</summary>
    public async Task RunAsync(CancellationToken stop, CancellationToken giveUp)
    {
        var taking = desk.RunAsync(giveUp);
        _members = new MemberPushes(id, link, api, outbox, options, time, _pushing.Token);
        link.Changed = OnChanged;
        var claim = claims.Take($"{JujiChannel.ChannelId}/{AccountIds.Key(id)}");
        try
        {
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    var lost = await claim.HeldAsync(stop).ConfigureAwait(false);
                    using var life = CancellationTokenSource.CreateLinkedTokenSource(stop, lost);
                    await link.RunAsync(life.Token).ConfigureAwait(false);
                }
                catch (Exception fault) when (!stop.IsCancellationRequested)
                {
                    // Nothing is expected here; a host that goes on without its account would be worse than a line in the log.
                    LogFailed(logger, fault, id);
                    await Task.Delay(TimeSpan.FromSeconds(5), time, stop).ConfigureAwait(false);
                }
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Told to stop.
        }
        finally
        {
            outbox.Detach(JujiChannel.ChannelId, id, _members);
            await _pushing.CancelAsync().ConfigureAwait(false);
            link.Close();
            await claim.DisposeAsync().ConfigureAwait(false);
            desk.Complete();
            await taking.ConfigureAwait(false);
        }
    }

    /// <summary>Frees what it holds; it has ended before.</summary>
    public void Dispose() => _pushing.Dispose();

    /// <summary>Calls an action.</summary>
    public Task<JsonElement> CallAsync(string action, JsonElement parameters, TimeSpan? timeout, CancellationToken cancellationToken) =>
        calls.CallAsync(action, parameters, timeout is { } asked && asked < options.CallTimeout ? asked : options.CallTimeout, cancellationToken);

    /// <summary>Sends a request below the community's address.</summary>
    public Task<CommunityAnswer> RequestAsync(HttpMethod method, Uri url, ReadOnlyMemory<byte> json, CancellationToken cancellationToken) =>
        api.SendAsync(method, url, json, options.RequestTimeout, cancellationToken);

    /// <summary>What the community says of itself, asked for again after a while.</summary>
    /// <param name="path">One of <c>/message/capabilities</c>, <c>/message/actions</c>, <c>/message/topics</c>.</param>
    /// <param name="fresh">True: it is asked now.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<JsonElement> AskAsync(string path, bool fresh, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!fresh && _kept.TryGetValue(path, out var kept) && time.GetElapsedTime(kept.At) < options.CapabilitiesKept) return kept.Value;
        }

        var timeout = path == "/message/capabilities" ? options.CapabilitiesTimeout : options.RequestTimeout;
        var value = await api.GetAsync(path, timeout, cancellationToken).ConfigureAwait(false);
        lock (_lock) _kept[path] = (value, time.GetTimestamp());
        return value;
    }

    private void OnChanged(bool connected)
    {
        if (connected) outbox.Attach(JujiChannel.ChannelId, id, _members!);
        else outbox.Detach(JujiChannel.ChannelId, id, _members!);
    }

    [LoggerMessage(LogEvents.JujiAccountFailed, LogLevel.Error, "Juji account {Account}: its connection has failed in an unexpected way; it begins anew.")]
    private static partial void LogFailed(ILogger logger, Exception fault, string account);
}
