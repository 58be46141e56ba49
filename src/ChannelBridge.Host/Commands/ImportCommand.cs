using System.CommandLine;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Bncr;
using ChannelBridge.Core.Messaging.Receipts;
using ChannelBridge.Host.Composition;
using ChannelBridge.Host.Settings;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Host.Commands;

/// <summary><c>channelbridge import</c>: takes over the state of the existing bncr plugin. No host may run on the data folder meanwhile.</summary>
internal static class ImportCommand
{
    private static readonly Argument<FileInfo> File = new("FILE") { Description = "bncr-bridge-state.json of the existing plugin", HelpName = "FILE" };
    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Read and count, write nothing" };

    /// <summary>Makes the command.</summary>
    public static Command Create()
    {
        var command = new Command("import",
            "Takes over queue, dead letters and conversations of the existing bncr plugin from its state file. Stop the host first. Repeating it is safe.");
        command.Arguments.Add(File);
        StoreOptions.AddTo(command);
        command.Options.Add(DryRun);
        command.Subcommands.Add(MultiClaws.ImportMultiClawsCommand.Create());
        command.SetAction((parsed, cancellationToken) => RunAsync(parsed.GetValue(File)!, StoreOptions.Load(parsed), parsed.GetValue(DryRun), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(FileInfo file, HostSettings settings, bool dryRun, CancellationToken cancellationToken)
    {
        if (!file.Exists) throw new HostStartException(ExitCodes.Usage, $"the file {file.FullName} does not exist");
        OwnerOnly.RestrictNewFiles();
        using var folder = DataFolder.Open(settings.DataDirectory);
        var services = new ServiceCollection();
        services.AddSingleton(typeof(ILogger<>), typeof(NullLogger<>));
        settings.Store.AddTo(services);
        var provider = services.BuildServiceProvider();
        await using (provider.ConfigureAwait(false))
        {
            try
            {
                var store = provider.GetRequiredService<Abstractions.Storage.IStore>();
                await store.OpenAsync(cancellationToken).ConfigureAwait(false);
                using var json = file.OpenRead();
                var report = await new BncrStateImporter(store, new MessageImport(store, TimeProvider.System), TimeProvider.System)
                    .ImportAsync(json, dryRun, cancellationToken).ConfigureAwait(false);
                Console.WriteLine(
                    $"{(dryRun ? "would take over" : "took over")}: {report.Queued} messages that wait, {report.DeadLetters} dead letters, {report.Routes} conversations");
                if (report.Known > 0) Console.WriteLine($"known from an earlier import, left as they are: {report.Known}");
                foreach (var line in report.Skipped) await Console.Error.WriteLineAsync("skipped: " + line).ConfigureAwait(false);
                return ExitCodes.Ok;
            }
            catch (BridgeException fault)
            {
                throw new HostStartException(fault.Code.StartsWith("STORE", StringComparison.Ordinal) ? ExitCodes.Store : ExitCodes.Fault,
                    $"{fault.Message} ({fault.Code})", fault);
            }
        }
    }
}
