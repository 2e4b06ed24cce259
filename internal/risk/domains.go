package risk

import "strings"

// disposable are the domains of services that give a mail address for minutes or
// to anybody who asks for the same name. Each is the service's own or one of its
// well-known aliases.
var disposable = func() map[string]struct{} {
	m := map[string]struct{}{}
	for _, d := range strings.Fields(domainList) {
		m[d] = struct{}{}
	}
	return m
}()

const domainList = `
10minutemail.com 10minutemail.net 10minutemail.org 10minutemail.co.uk 10minmail.de 10mail.org
1secmail.com 1secmail.net 1secmail.org
20minutemail.com 20minutemail.it 30minutemail.com 33mail.com
anonbox.net anonymbox.com antispam.de armyspy.com
binkmail.com bobmail.info bouncr.com bugmenot.com burnermail.io byom.de
chammy.info crazymailing.com cuvox.de
dayrep.com deadaddress.com despam.it discard.email discardmail.com discardmail.de disposable.com disposableaddress.com
disposeamail.com disposemail.com dispostable.com dodgeit.com dodgit.com dontreg.com dropmail.me dudmail.com
einrot.com emailondeck.com emailfake.com emailsensei.com emailtemporario.com.br emltmp.com e4ward.com
fakeinbox.com fakemail.net fakemailgenerator.com fleckens.hu filzmail.com freundin.ru
getairmail.com getnada.com getonemail.com grr.la guerrillamail.biz guerrillamail.com guerrillamail.de
guerrillamail.info guerrillamail.net guerrillamail.org guerrillamailblock.com gustr.com
harakirimail.com hidemail.de hmamail.com
inboxalias.com inboxbear.com inboxkitten.com incognitomail.com incognitomail.org
jetable.com jetable.net jetable.org jourrapide.com
kasmail.com klzlk.com kurzepost.de
lookugly.com lroid.com luxusmail.org
mail-temp.com mail-temporaire.fr mail.tm mail7.io mailcatch.com maildrop.cc maildu.de maileater.com mailexpire.com
mailforspam.com mailfreeonline.com mailin8r.com mailinater.com mailinator.com mailinator.net mailinator.org mailinator2.com mailmetrash.com
mailmoat.com mailnator.com mailnesia.com mailnull.com mailpoof.com mailsac.com mailshell.com mailtemp.info mailtothis.com
meltmail.com minuteinbox.com mintemail.com moakt.cc moakt.com mohmal.com mt2015.com mytemp.email mytrashmail.com
nada.email nospam.ze.tc nospamfor.us notsharingmy.info nowmymail.com
objectmail.com one-time.email oneoffemail.com owlpic.com
pokemail.net proxymail.eu putthisinyourspamdatabase.com
rcpt.at reallymymail.com rhyta.com
safetymail.info sharklasers.com shieldemail.com sneakemail.com sogetthis.com soodonims.com spam.la spam4.me spamavert.com
spambob.net spambog.com spambog.de spambox.us spamcero.com spamex.com spamfree24.com spamfree24.org spamgourmet.com
spamgourmet.net spamherelots.com spamhole.com spamify.com spaml.de spammotel.com spamspot.com spamthis.co.uk superrito.com
teleworm.us temp-mail.io temp-mail.org temp-mail.ru tempail.com tempemail.co tempemail.net tempinbox.com
tempmail.com tempmail.de tempmail.net tempmail.plus tempmailaddress.com tempmailo.com tempmailer.de tempomail.fr temporaryemail.net
temporaryinbox.com thankyou2010.com thisisnotmyrealemail.com throwam.com throwawaymail.com tmail.ws tmailinator.com
tmpmail.net tmpmail.org trash-mail.at trash-mail.com trash-mail.de trash2009.com trashmail.at trashmail.com trashmail.de
trashmail.me trashmail.net trashmail.org trashmail.ws trbvm.com trbvn.com tyldd.com
veryrealemail.com vomoto.com
wegwerfemail.com wegwerfemail.de wegwerfmail.de wegwerfmail.net wegwerfmail.org willselfdestruct.com wh4f.org
yopmail.com yopmail.fr yopmail.net yepmail.net
zippymail.info zoemail.org
`
