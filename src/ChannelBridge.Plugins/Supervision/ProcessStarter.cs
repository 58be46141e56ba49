using System.Collections.Concurrent;
using System.Diagnostics;

namespace ChannelBridge.Plugins.Supervision;

/// <summary>
/// Starts processes from one thread that lives as long as the host: on Linux a process that is to die with its parent dies with the
/// thread that started it.
/// </summary>
internal static class ProcessStarter
{
    private static readonly Lazy<BlockingCollection<(ProcessStartInfo Info, TaskCompletionSource<Process> Done)>> Queue = new(Begin);

    public static Task<Process> StartAsync(PluginLaunch launch)
    {
        var info = new ProcessStartInfo(launch.Program, launch.Arguments)
        {
            WorkingDirectory = launch.Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            CreateNoWindow = true,
        };
        info.Environment.Clear();
        foreach (var (name, value) in launch.Environment) info.Environment[name] = value;
        var done = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Queue.Value.Add((info, done));
        return done.Task;
    }

    private static BlockingCollection<(ProcessStartInfo, TaskCompletionSource<Process>)> Begin()
    {
        var queue = new BlockingCollection<(ProcessStartInfo Info, TaskCompletionSource<Process> Done)>();
        new Thread(() =>
        {
            foreach (var (info, done) in queue.GetConsumingEnumerable())
            {
                try
                {
                    done.SetResult(Process.Start(info)!);
                }
                catch (Exception fault)
                {
                    done.SetException(
                        new BridgeException(ErrorCodes.Unavailable, $"{info.FileName} can't be started: {fault.Message}", fault));
                }
            }
        })
        {
            IsBackground = true,
            Name = "plugin starter",
        }.Start();
        return queue;
    }
}
