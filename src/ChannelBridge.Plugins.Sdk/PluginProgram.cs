using System.IO.Pipes;
using ChannelBridge.Plugins.Manifest;
using ChannelBridge.Plugins.Protocol;
using ChannelBridge.Plugins.Rpc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace ChannelBridge.Plugins.Sdk;

/// <summary>
/// The program of a plugin: <c>return await PluginProgram.RunAsync(args, builder =&gt; builder.AddChannel&lt;MyChannel&gt;());</c>.
/// </summary>
public static class PluginProgram
{
    /// <summary>Serves the host on stdin and stdout until it says stop, or is gone. The manifest lies beside the program.</summary>
    /// <param name="args">The program's arguments; not used by the protocol.</param>
    /// <param name="configure">Adds channels, settings and services.</param>
    /// <returns>The exit code: 0 after an orderly stop.</returns>
    public static Task<int> RunAsync(string[] args, Action<PluginBuilder> configure)
    {
        ArgumentNullException.ThrowIfNull(args);
        ArgumentNullException.ThrowIfNull(configure);
        var input = Open(0, PipeDirection.In) ?? Console.OpenStandardInput();
        var output = Open(1, PipeDirection.Out) ?? Console.OpenStandardOutput();
        // Whatever prints must not disturb the protocol.
        Console.SetOut(Console.Error);
        return RunAsync(input, output, AppContext.BaseDirectory, configure);
    }

    // The console's streams keep a thread of the pool waiting in each read; a pipe's own wait for nobody.
    private static AnonymousPipeClientStream? Open(nint handle, PipeDirection direction)
    {
        if (OperatingSystem.IsWindows()) return null;
        try
        {
            // Owned: the end of a stream waits until its handle is closed, which for one that isn't owned never comes.
            return new AnonymousPipeClientStream(direction, new SafePipeHandle(handle, ownsHandle: true));
        }
        catch (IOException)
        {
            // A terminal or a file.
            return null;
        }
    }

    internal static async Task<int> RunAsync(Stream input, Stream output, string folder, Action<PluginBuilder> configure)
    {
        PluginManifest manifest;
        try
        {
            manifest = ManifestReader.Read(
                await File.ReadAllBytesAsync(Path.Combine(folder, PluginManifest.FileName)).ConfigureAwait(false), PluginManifest.FileName);
        }
        catch (Exception fault) when (fault is IOException or ManifestException)
        {
            await Console.Error.WriteLineAsync($"{PluginManifest.FileName} beside the program: {fault.Message}").ConfigureAwait(false);
            return 2;
        }

        var builder = new PluginBuilder();
        builder.Services.AddLogging(
            logging => logging.ClearProviders().AddProvider(new StderrLogs()).SetMinimumLevel(LogLevel.Information));
        builder.Services.AddSingleton(TimeProvider.System);
        configure(builder);
        var process = new SdkProcess(manifest, builder);
        await using (process.ConfigureAwait(false))
        {
            var (connection, host) = PluginConnection.ForPlugin(
                input, output, process, PluginLimits.Default, (fault, method) => Console.Error.WriteLine($"fail: {method}: {fault}"));
            await using (connection.ConfigureAwait(false))
            {
                process.Pipe.SetResult((host, connection.Streams));
                // After 'stop' the answer has to leave before the pipe ends: the host closes it.
                return await connection.Ended.ConfigureAwait(false) is null || process.IsStopped ? 0 : 1;
            }
        }
    }
}
