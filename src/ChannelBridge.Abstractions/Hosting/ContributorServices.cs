using ChannelBridge.Abstractions.Hosting;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers contributors.</summary>
public static class ContributorServices
{
    /// <summary>Adds a contributor as a service of its own type, made once; the host asks for it at its start and takes what it implements.</summary>
    public static IServiceCollection AddContributor<T>(this IServiceCollection services)
        where T : class, IContributor
    {
        ArgumentNullException.ThrowIfNull(services);
        services.TryAddSingleton<T>();
        return services.AddSingleton<IContributor>(provider => provider.GetRequiredService<T>());
    }
}
