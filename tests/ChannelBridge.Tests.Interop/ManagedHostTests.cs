using System.Runtime.Versioning;
using ChannelBridge.Tests.Interop.Lab;

namespace ChannelBridge.Tests.Interop;

/// <summary>Managed mode's own file, without a gateway: what it refuses to start, restarts, gives up, and that no host outlives its parent.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ManagedHostTests
{
    [OpenClawFact]
    public async Task ManagedHost_RealHostAndMisbehavingPrograms_IsSafeAndLeavesNoOrphan()
    {
        var folder = Scratch.NewFolder("cbmanaged");
        // The tests' output folder may belong to a group; a copy of the host in a folder of one's own is what an operator would have.
        await NodeScript.RunAsync("managed.mjs", TimeSpan.FromSeconds(180), OpenClawInstallation.Repository, HostCopy.In(folder), folder);
    }
}
