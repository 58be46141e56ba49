using System.Collections.Concurrent;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Responses;

/// <summary>A response whose host ended before it did.</summary>
/// <param name="Journal">Its journal, open behind its last whole line.</param>
/// <param name="Events">Its events so far.</param>
internal sealed record LeftRun(ResponseJournal Journal, List<ReadOnlyMemory<byte>> Events);

/// <summary>The journals on disk: found by id, ended or taken up when their host died, removed when their time is up.</summary>
internal sealed partial class ReplayFolder(ResponseOptions options, ResponseRecords records, TimeProvider time, ILogger logger)
{
    // Responses that outlived their host, and since when they wait to be taken up.
    private readonly ConcurrentDictionary<string, DateTimeOffset> _left = new(StringComparer.Ordinal);

    /// <summary>A response that has ended and whose events are still there; null when there is none, or it is another owner's.</summary>
    public async ValueTask<KeptRun?> FindAsync(string id, string owner, CancellationToken cancellationToken)
    {
        var path = ResponseJournal.PathOf(options.Directory, id) + ResponseJournal.Ended;
        if (!File.Exists(path)) return null;
        var header = await ResponseJournal.ReadHeaderAsync(path, cancellationToken).ConfigureAwait(false);
        return header is null || header.Owner != owner ? null : await KeptRun.OpenAsync(path, header, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Gives a response that outlived its host to whoever starts it again, once; null when there is none.</summary>
    public async ValueTask<LeftRun?> TakeUpAsync(string id, string owner, CancellationToken cancellationToken)
    {
        var path = ResponseJournal.PathOf(options.Directory, id) + ResponseJournal.Running;
        if (!_left.ContainsKey(id)) return null;
        var (header, events, length) = await ReadAsync(path, cancellationToken).ConfigureAwait(false);
        return header?.Owner == owner && _left.TryRemove(id, out _) ? new LeftRun(ResponseJournal.Reopen(path, events.Count, length), events) : null;
    }

    /// <summary>Ends what ran when the host died, or lays it ready for being taken up.</summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(options.Directory);
        foreach (var path in Directory.EnumerateFiles(options.Directory, "*" + ResponseJournal.Running, SearchOption.AllDirectories).ToList())
        {
            try
            {
                await RecoverAsync(path, mayWait: true, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                // One damaged file must not keep the host from starting.
                LogNotRecovered(logger, Path.GetFileNameWithoutExtension(path), fault);
                File.Move(path, Path.ChangeExtension(path, ".damaged"), overwrite: true);
            }
        }
    }

    /// <summary>Removes the journals of a response.</summary>
    public void Delete(string id) => File.Delete(ResponseJournal.PathOf(options.Directory, id) + ResponseJournal.Ended);

    /// <summary>Ends what nobody has taken up in its time.</summary>
    public async Task EndLeftAsync()
    {
        foreach (var (id, since) in _left)
        {
            if (time.GetUtcNow() - since < options.ReplayRetention || !_left.TryRemove(id, out _)) continue;
            try
            {
                await RecoverAsync(ResponseJournal.PathOf(options.Directory, id) + ResponseJournal.Running, mayWait: false, CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception fault)
            {
                // The next start of the host ends it.
                LogNotSwept(logger, fault);
            }
        }
    }

    /// <summary>Removes journals whose time is up, and the oldest while there is too much.</summary>
    public void Sweep()
    {
        try
        {
            var before = (time.GetUtcNow() - options.ReplayRetention).UtcDateTime;
            var kept = new List<FileInfo>();
            foreach (var file in new DirectoryInfo(options.Directory).EnumerateFiles("*", SearchOption.AllDirectories))
            {
                if (file.Extension == ResponseJournal.Running) continue;
                if (file.LastWriteTimeUtc < before) file.Delete();
                else kept.Add(file);
            }

            var size = kept.Sum(file => file.Length);
            foreach (var file in kept.OrderBy(file => file.LastWriteTimeUtc))
            {
                if (size <= options.ReplayCapacity) break;
                size -= file.Length;
                file.Delete();
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            LogNotSwept(logger, fault);
        }
    }

    private static async ValueTask<(JournalHeader? Header, List<ReadOnlyMemory<byte>> Events, long Length)> ReadAsync(string path, CancellationToken cancellationToken)
    {
        var header = await ResponseJournal.ReadHeaderAsync(path, cancellationToken).ConfigureAwait(false);
        var events = new List<ReadOnlyMemory<byte>>();
        long length = 0;
        await foreach (var line in ResponseJournal.ReadLinesAsync(path, 0, cancellationToken).ConfigureAwait(false))
        {
            if (length > 0) events.Add(line);
            length += line.Length + 1;
        }

        return (header, events, length);
    }

    private async Task RecoverAsync(string path, bool mayWait, CancellationToken cancellationToken)
    {
        var (header, events, length) = await ReadAsync(path, cancellationToken).ConfigureAwait(false);
        if (header is null || events.Count == 0)
        {
            // It died before it had said anything.
            File.Delete(path);
            return;
        }

        if (mayWait && header.OutlivesHost == true && !ResponseJournal.Parse(events.Count - 1, events[^1]).IsTerminal)
        {
            _left[header.Id] = time.GetUtcNow();
            LogLeft(logger, header.Id);
            return;
        }

        var final = ReadOnlyMemory<byte>.Empty;
        using (var journal = ResponseJournal.Reopen(path, events.Count, length))
        {
            var machine = ResponseMachine.Restore(events, (_, type, json) =>
            {
                journal.Append(json);
                if (ResponseEventTypes.IsTerminal(type)) final = ItemJson.Snapshot(json);
            });
            if (machine.HasEnded) final = ItemJson.Snapshot(events[^1]);
            else machine.Fail(new ResponseError(ResponseErrors.Interrupted, "The host ended before the response had; ask again."));
            if (header.Store) await records.PutAsync(header.Id, header, final, null, cancellationToken).ConfigureAwait(false);
            journal.Close();
        }

        LogRecovered(logger, header.Id);
    }

    [LoggerMessage(LogEvents.ReplayFolderRecovered, LogLevel.Warning, "Response {Id} ran when the host ended; it has failed now")]
    private static partial void LogRecovered(ILogger logger, string id);

    [LoggerMessage(LogEvents.ReplayFolderLeft, LogLevel.Information, "Response {Id} ran when the host ended; it goes on when its request is taken up again")]
    private static partial void LogLeft(ILogger logger, string id);

    [LoggerMessage(LogEvents.ReplayFolderNotRecovered, LogLevel.Error, "The events of response {Id} are damaged and were put aside")]
    private static partial void LogNotRecovered(ILogger logger, string id, Exception fault);

    [LoggerMessage(LogEvents.ReplayFolderNotSwept, LogLevel.Error, "The events of ended responses can't be swept; trying again in a minute")]
    private static partial void LogNotSwept(ILogger logger, Exception fault);
}
