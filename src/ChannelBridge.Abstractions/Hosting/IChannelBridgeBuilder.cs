using Microsoft.Extensions.DependencyInjection;

namespace ChannelBridge.Abstractions.Hosting;

/// <summary>
/// Puts a host together: a store (<c>UseSqlite</c>, <c>UsePostgres</c>), channels (<c>AddChannel</c>), agents (<c>AddAgent</c>), the doors
/// (<c>AddEndpoints</c>) and the OpenClaw gateway (<c>AddOpenClaw</c>), each an extension method of the package that brings it.
/// </summary>
public interface IChannelBridgeBuilder
{
    /// <summary>The container.</summary>
    IServiceCollection Services { get; }
}
