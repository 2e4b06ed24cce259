package main

import "github.com/spf13/cobra"

// commands lists the commands in the order in which a shop meets them.
func (p *program) commands() []*cobra.Command {
	return []*cobra.Command{
		p.demoCommand(), p.serveCommand(), p.importCommand(), p.dataCommand(), p.checkCommand(), p.applyCommand(), p.exportCommand(), p.whyCommand(), p.backtestCommand(),
		p.automationsCommand(), p.templatesCommand(), p.runsCommand(), p.effectsCommand(), p.eventsCommand(),
		p.suggestCommand(), p.mapCommand(), p.watchCommand(),
		p.tokenCommand(), p.userCommand(), p.auditCommand(), p.customerCommand(), p.connectionCommand(),
		p.backupCommand(), p.restoreCommand(), p.migrateCommand(), p.archiveCommand(), p.doctorCommand(), p.benchCommand(), p.versionCommand(),
	}
}
