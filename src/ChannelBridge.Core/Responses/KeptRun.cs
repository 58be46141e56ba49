using System.Runtime.CompilerServices;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;

namespace ChannelBridge.Core.Responses;

/// <summary>A response that has ended: its events from the journal while that is kept, its end from the store.</summary>
/// <param name="id">The response.</param>
/// <param name="session">The conversation.</param>
/// <param name="path">The journal, or null when its time is up.</param>
/// <param name="final">The response at its end.</param>
internal sealed class KeptRun(string id, string session, string? path, ReadOnlyMemory<byte> final) : IResponseRun
{
    /// <inheritdoc/>
    public string Id => id;

    /// <inheritdoc/>
    public string Session => session;

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> Snapshot => final;

    /// <inheritdoc/>
    public Task<ReadOnlyMemory<byte>> Completion { get; } = Task.FromResult(final);

    /// <inheritdoc/>
    public ValueTask CancelAsync() => default;

    /// <inheritdoc/>
    public async IAsyncEnumerable<StreamEvent> ReadAsync(long after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var events = path is not null && File.Exists(path)
            ? ResponseJournal.ReadAsync(path, Math.Max(0, after + 1), long.MaxValue, cancellationToken)
            : throw ResponseErrors.NotFound("The events of this response have expired; ask for the response itself.", null, "events_expired");
        await foreach (var one in events.ConfigureAwait(false)) yield return one;
    }

    /// <summary>Opens a response from its journal; null when it has no end.</summary>
    public static async ValueTask<KeptRun?> OpenAsync(string path, JournalHeader header, CancellationToken cancellationToken)
    {
        StreamEvent? last = null;
        try
        {
            await foreach (var one in ResponseJournal.ReadAsync(path, 0, long.MaxValue, cancellationToken).ConfigureAwait(false)) last = one;
        }
        catch (Exception fault) when (fault is IOException or BridgeException)
        {
            return null;
        }

        return last is { IsTerminal: true } ? new KeptRun(header.Id, header.Session, path, ItemJson.Snapshot(last.Json)) : null;
    }
}
