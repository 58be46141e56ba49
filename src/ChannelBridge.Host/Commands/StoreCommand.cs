using System.CommandLine;
using System.IO.Compression;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;
using ChannelBridge.Host.Terminal;
using ChannelBridge.Storage.Postgres.Upkeep;
using ChannelBridge.Storage.Sqlite.Upkeep;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge store</c>: looks after the store itself. It opens the store's file or database, not a running host.</summary>
internal static class StoreCommand
{
    private const string PackedSuffix = ".gz";

    private static readonly Option<bool> Quick = new("--quick") { Description = "Leave out what takes longest: whether each index has its rows" };
    private static readonly Argument<FileInfo?> Checked =
        new("FILE") { Description = "A backup of a SQLite store, instead of the store itself", HelpName = "FILE", Arity = ArgumentArity.ZeroOrOne };
    private static readonly Argument<FileInfo> Target = new("FILE") { Description = "The new file; one that exists isn't overwritten", HelpName = "FILE" };
    private static readonly Argument<FileInfo> Exported =
        new("FILE") { Description = "The new file, packed when its name ends with .gz; one that exists isn't overwritten", HelpName = "FILE" };
    private static readonly Argument<FileInfo> Source = new("FILE") { Description = "What store export wrote", HelpName = "FILE" };

    /// <summary>Makes the command with its subcommands.</summary>
    public static Command Create()
    {
        var check = Make("check", "Looks for damage; a host may run meanwhile. Ends with 11 when there is some.", CheckAsync);
        check.Arguments.Add(Checked);
        check.Options.Add(Quick);
        var backup = Make("backup", "Copies a SQLite store as it is at one moment to a new file, readable by you only; a host may run meanwhile.", BackupAsync);
        backup.Arguments.Add(Target);
        var export = Make("export", "Writes everything as text that SQLite and PostgreSQL can import; a host may run meanwhile.", ExportAsync);
        export.Arguments.Add(Exported);
        var import = Make("import", "Makes a new store of an export: all of it or nothing. Stop the host first.", ImportAsync);
        import.Arguments.Add(Source);
        return new Command("store", "Looks after the store: checks, compacts, backs up, and moves it between SQLite and PostgreSQL.")
        {
            check,
            Make("compact", "Gives back to the disk what is free inside the store. SQLite: stop the host first, and have as much free as the store takes.", CompactAsync),
            backup,
            export,
            import,
        };
    }

    private static Command Make(string name, string description, Func<ParseResult, StoreChoice, HostSettings, CancellationToken, Task<int>> run)
    {
        var command = new Command(name, description);
        StoreOptions.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var settings = StoreOptions.Load(parsed);
            OwnerOnly.RestrictNewFiles();
            try
            {
                return await run(parsed, settings.Store, settings, cancellationToken).ConfigureAwait(false);
            }
            catch (BridgeException fault)
            {
                throw new HostStartException(CodeOf(fault), $"{fault.Message} ({fault.Code})", fault);
            }
            catch (InvalidDataException)
            {
                throw new HostStartException(ExitCodes.Refused, "the packed file is damaged or was cut off; nothing was imported");
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                throw new HostStartException(ExitCodes.Store, fault.Message.ReplaceLineEndings(" "), fault);
            }
        });
        return command;
    }

    private static int CodeOf(BridgeException fault) => fault.Code switch
    {
        ErrorCodes.StoreCorrupt => ExitCodes.Damaged,
        ErrorCodes.Conflict or ErrorCodes.InvalidRequest or ErrorCodes.NotFound => ExitCodes.Refused,
        _ => ExitCodes.Store,
    };

    private static async Task<int> CheckAsync(ParseResult parsed, StoreChoice store, HostSettings settings, CancellationToken cancellationToken)
    {
        var quick = parsed.GetValue(Quick);
        var file = parsed.GetValue(Checked)?.FullName;
        using var progress = new WorkProgress("checking");
        var problems = file is null && store.IsShared
            ? await PostgresUpkeep.CheckAsync(store.Postgres, quick, progress.Note, cancellationToken).ConfigureAwait(false)
            : await Task.Run(() => SqliteUpkeep.Check(file ?? store.Sqlite.Path, quick), cancellationToken).WaitAsync(cancellationToken).ConfigureAwait(false);
        progress.End();
        foreach (var problem in problems) Console.WriteLine(PlainText.Line(problem));
        if (problems.Count == 0)
        {
            Console.WriteLine("no damage was found");
            return ExitCodes.Ok;
        }

        await Console.Error.WriteLineAsync("the store is damaged: stop the host, keep the file, and restore a backup (docs/operations.md, Backup)").ConfigureAwait(false);
        return ExitCodes.Damaged;
    }

    private static async Task<int> CompactAsync(ParseResult parsed, StoreChoice store, HostSettings settings, CancellationToken cancellationToken)
    {
        using var progress = new WorkProgress("compacting");
        (long Before, long After) size;
        if (store.IsShared)
        {
            size = await PostgresUpkeep.CompactAsync(store.Postgres, progress, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            using var folder = DataFolder.Open(settings.DataDirectory);
            size = await Task.Run(() => SqliteUpkeep.Compact(store.Sqlite.Path), CancellationToken.None).ConfigureAwait(false);
        }

        progress.End();
        Console.WriteLine($"{Units.Bytes(size.Before)} before, {Units.Bytes(size.After)} now");
        return ExitCodes.Ok;
    }

    private static async Task<int> BackupAsync(ParseResult parsed, StoreChoice store, HostSettings settings, CancellationToken cancellationToken)
    {
        var file = parsed.GetValue(Target)!.FullName;
        if (store.IsShared)
        {
            throw new HostStartException(
                ExitCodes.Refused,
                $"a PostgreSQL store is backed up by its server: pg_dump --schema={store.Postgres.Schema} --format=custom "
                    + $"--file={PlainText.Line(file)} (docs/operations.md, Backup); or use: channelbridge store export FILE");
        }

        using var progress = new WorkProgress("backing up", bytes: true);
        await Task.Run(() => SqliteUpkeep.Backup(store.Sqlite.Path, file, progress), CancellationToken.None).ConfigureAwait(false);
        progress.End();
        Console.WriteLine($"{PlainText.Line(file)}: {Units.Bytes(new FileInfo(file).Length)}");
        if (Directory.Exists(settings.Files.Folder) && Directory.EnumerateFiles(settings.Files.Folder, "*", SearchOption.AllDirectories).Any())
            await Console.Error.WriteLineAsync($"files of messages are beside it: copy {PlainText.Line(settings.Files.Folder)}, too").ConfigureAwait(false);
        return ExitCodes.Ok;
    }

    private static async Task<int> ExportAsync(ParseResult parsed, StoreChoice store, HostSettings settings, CancellationToken cancellationToken)
    {
        var file = parsed.GetValue(Exported)!.FullName;
        if (File.Exists(file)) throw new HostStartException(ExitCodes.Refused, $"{PlainText.Line(file)} exists already; it isn't overwritten");
        var partial = file + ".partial";
        try
        {
            var rows = 0L;
            using (var progress = new WorkProgress("exporting"))
            {
                var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 1 << 16 };
                if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
                File.Delete(partial);
                using var target = new FileStream(partial, options);
                if (file.EndsWith(PackedSuffix, StringComparison.OrdinalIgnoreCase))
                {
                    using var packed = new GZipStream(target, CompressionLevel.Fastest, leaveOpen: true);
                    await WriteAsync(packed).ConfigureAwait(false);
                }
                else
                {
                    await WriteAsync(target).ConfigureAwait(false);
                }

                // Only now: the packer writes its end when it is closed.
                target.Flush(flushToDisk: true);
                rows = progress.Count;
                progress.End();

                async Task WriteAsync(Stream output)
                {
                    var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
                    if (store.IsShared)
                    {
                        await PostgresUpkeep.ExportAsync(store.Postgres, output, progress, now, cancellationToken).ConfigureAwait(false);
                        return;
                    }

                    var folder = Path.GetDirectoryName(file)!;
                    await Task.Run(() => SqliteUpkeep.ExportAsync(store.Sqlite.Path, output, folder, progress, now), CancellationToken.None)
                        .ConfigureAwait(false);
                }
            }

            File.Move(partial, file);
            Console.WriteLine($"{PlainText.Line(file)}: {rows} rows, {Units.Bytes(new FileInfo(file).Length)}");
            return ExitCodes.Ok;
        }
        finally
        {
            File.Delete(partial);
        }
    }

    private static async Task<int> ImportAsync(ParseResult parsed, StoreChoice store, HostSettings settings, CancellationToken cancellationToken)
    {
        var file = parsed.GetValue(Source)!;
        if (!file.Exists) throw new HostStartException(ExitCodes.Usage, $"the file {PlainText.Line(file.FullName)} does not exist");
        using var folder = DataFolder.Open(settings.DataDirectory);
        using var progress = new WorkProgress("importing");
        using var source = file.OpenRead();
        using var input = file.Name.EndsWith(PackedSuffix, StringComparison.OrdinalIgnoreCase) ? new GZipStream(source, CompressionMode.Decompress)
            : (Stream)new BufferedStream(source, 1 << 16);
        if (store.IsShared) await PostgresUpkeep.ImportAsync(store.Postgres, input, progress, cancellationToken).ConfigureAwait(false);
        else await Task.Run(() => SqliteUpkeep.Import(store.Sqlite.Path, input, progress), CancellationToken.None).ConfigureAwait(false);
        var rows = progress.Count;
        progress.End();
        Console.WriteLine($"imported {rows} rows into {(store.IsShared ? $"the schema {store.Postgres.Schema}" : PlainText.Line(store.Sqlite.Path))}");
        return ExitCodes.Ok;
    }
}
