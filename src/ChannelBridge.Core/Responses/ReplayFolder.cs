using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Responses;

/// <summary>The journals on disk: found by id, ended when their host died, removed when their time is up.</summary>
internal sealed partial class ReplayFolder(ResponseOptions options, ResponseRecords records, TimeProvider time, ILogger logger)
{
    /// <summary>A response that has ended and whose events are still there; null when there is none, or it is another owner's.</summary>
    public async ValueTask<KeptRun?> FindAsync(string id, string owner, CancellationToken cancellationToken)
    {
        var path = ResponseJournal.PathOf(options.Directory, id) + ResponseJournal.Ended;
        if (!File.Exists(path)) return null;
        var header = await ResponseJournal.ReadHeaderAsync(path, cancellationToken).ConfigureAwait(false);
        return header is null || header.Owner != owner ? null : await KeptRun.OpenAsync(path, header, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Ends what ran when the host died.</summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(options.Directory);
        foreach (var path in Directory.EnumerateFiles(options.Directory, "*" + ResponseJournal.Running, SearchOption.AllDirectories).ToList())
        {
            try
            {
                await RecoverAsync(path, cancellationToken).ConfigureAwait(false);
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

    private async Task RecoverAsync(string path, CancellationToken cancellationToken)
    {
        var header = await ResponseJournal.ReadHeaderAsync(path, cancellationToken).ConfigureAwait(false);
        var events = new List<ReadOnlyMemory<byte>>();
        long length = 0;
        await foreach (var line in ResponseJournal.ReadLinesAsync(path, 0, cancellationToken).ConfigureAwait(false))
        {
            if (length > 0) events.Add(line);
            length += line.Length + 1;
        }

        if (header is null || events.Count == 0)
        {
            // It died before it had said anything.
            File.Delete(path);
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
            if (header.Store) await records.PutAsync(header.Id, header, final, cancellationToken).ConfigureAwait(false);
            journal.Close();
        }

        LogRecovered(logger, header.Id);
    }

    [LoggerMessage(2521, LogLevel.Warning, "Response {Id} ran when the host ended; it has failed now")]
    private static partial void LogRecovered(ILogger logger, string id);

    [LoggerMessage(2522, LogLevel.Error, "The events of response {Id} are damaged and were put aside")]
    private static partial void LogNotRecovered(ILogger logger, string id, Exception fault);

    [LoggerMessage(2523, LogLevel.Error, "The events of ended responses can't be swept; trying again in a minute")]
    private static partial void LogNotSwept(ILogger logger, Exception fault);
}
